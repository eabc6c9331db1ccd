"""A table in memory that Spark can MERGE into: no table format that can comes with PySpark.

Compiled by the machine's javac, where it has one: the Java that the package brings along is without.
"""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pyspark

JAVAC = shutil.which("javac")

_SOURCE = """
import java.util.*;
import java.util.concurrent.*;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.catalog.*;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.connector.read.*;
import org.apache.spark.sql.connector.write.*;
import org.apache.spark.sql.types.*;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.apache.spark.unsafe.types.UTF8String;

public class RowLevelCatalog implements TableCatalog {
  static final Map<Identifier, Table> TABLES = new ConcurrentHashMap<>();
  static final Map<String, List<InternalRow>> ROWS = new ConcurrentHashMap<>();
  String name;

  public void initialize(String name, CaseInsensitiveStringMap options) { this.name = name; }
  public String name() { return name; }
  public Identifier[] listTables(String[] namespace) { return TABLES.keySet().toArray(new Identifier[0]); }
  public Table loadTable(Identifier id) {
    if (!TABLES.containsKey(id)) RowLevelCatalog.<RuntimeException>raise(new NoSuchTableException(id));
    return TABLES.get(id);
  }
  @SuppressWarnings("unchecked")
  static <T extends Throwable> void raise(Throwable error) throws T { throw (T) error; }
  public Table createTable(Identifier id, StructType schema, Transform[] parts, Map<String, String> options) {
    ROWS.put(id.toString(), new ArrayList<>());
    TABLES.put(id, new Rows(id.toString(), schema));
    return TABLES.get(id);
  }
  public Table createTable(Identifier id, Column[] columns, Transform[] parts, Map<String, String> options) {
    StructType schema = new StructType();
    for (Column each : columns) schema = schema.add(each.name(), each.dataType(), each.nullable());
    return createTable(id, schema, parts, options);
  }
  public Table alterTable(Identifier id, TableChange... changes) { throw new UnsupportedOperationException(); }
  public boolean dropTable(Identifier id) { return TABLES.remove(id) != null; }
  public void renameTable(Identifier from, Identifier to) { throw new UnsupportedOperationException(); }
}

class Rows implements Table, SupportsRead, SupportsWrite, SupportsRowLevelOperations {
  final String name;
  final StructType schema;
  Rows(String name, StructType schema) { this.name = name; this.schema = schema; }
  public String name() { return name; }
  public StructType schema() { return schema; }
  public Set<TableCapability> capabilities() {
    return EnumSet.of(TableCapability.BATCH_READ, TableCapability.BATCH_WRITE);
  }
  public ScanBuilder newScanBuilder(CaseInsensitiveStringMap options) { return () -> new Reading(name, schema); }
  public WriteBuilder newWriteBuilder(LogicalWriteInfo info) { return writing(false); }
  WriteBuilder writing(boolean anew) {
    Write write = new Write() { public BatchWrite toBatch() { return new Writing(name, schema, anew); } };
    return new WriteBuilder() { public Write build() { return write; } };
  }
  public RowLevelOperationBuilder newRowLevelOperationBuilder(RowLevelOperationInfo info) {
    RowLevelOperation.Command command = info.command();
    return () -> new RowLevelOperation() {
      public Command command() { return command; }
      public ScanBuilder newScanBuilder(CaseInsensitiveStringMap options) { return Rows.this.newScanBuilder(options); }
      public WriteBuilder newWriteBuilder(LogicalWriteInfo info) { return writing(true); }
    };
  }
}

class Reading implements Scan, Batch, InputPartition, PartitionReaderFactory {
  final String name;
  final StructType schema;
  Reading(String name, StructType schema) { this.name = name; this.schema = schema; }
  public StructType readSchema() { return schema; }
  public Batch toBatch() { return this; }
  public InputPartition[] planInputPartitions() { return new InputPartition[] {this}; }
  public PartitionReaderFactory createReaderFactory() { return this; }
  public PartitionReader<InternalRow> createReader(InputPartition partition) {
    Iterator<InternalRow> rows = RowLevelCatalog.ROWS.get(name).iterator();
    return new PartitionReader<InternalRow>() {
      InternalRow row;
      public boolean next() { row = rows.hasNext() ? rows.next() : null; return row != null; }
      public InternalRow get() { return row; }
      public void close() {}
    };
  }
}

class Writing implements BatchWrite, DataWriterFactory {
  final String name;
  final StructType schema;
  final boolean anew;
  Writing(String name, StructType schema, boolean anew) { this.name = name; this.schema = schema; this.anew = anew; }
  static class Written implements WriterCommitMessage { final List<InternalRow> rows = new ArrayList<>(); }
  public DataWriterFactory createBatchWriterFactory(PhysicalWriteInfo info) { return this; }
  public DataWriter<InternalRow> createWriter(int partition, long task) {
    Written written = new Written();
    return new DataWriter<InternalRow>() {
      public void write(InternalRow row) {
        Object[] values = new Object[schema.length()];
        int first = row.numFields() - values.length;  // Spark 4.0 hands on its own mark of the row, too
        for (int i = 0; i < values.length; i++) {
          Object value = row.isNullAt(first + i) ? null : row.get(first + i, schema.apply(i).dataType());
          values[i] = value instanceof UTF8String ? ((UTF8String) value).copy() : value;
        }
        written.rows.add(new GenericInternalRow(values));
      }
      public WriterCommitMessage commit() { return written; }
      public void abort() {}
      public void close() {}
    };
  }
  public void commit(WriterCommitMessage[] messages) {
    List<InternalRow> all = anew ? new ArrayList<>() : new ArrayList<>(RowLevelCatalog.ROWS.get(name));
    for (WriterCommitMessage each : messages) all.addAll(((Written) each).rows);
    RowLevelCatalog.ROWS.put(name, all);
  }
  public void abort(WriterCommitMessage[] messages) {}
}
"""


def row_level_jar(folder: Path) -> Path:
    """A jar with the catalog `RowLevelCatalog`, whose tables can be merged into."""
    assert JAVAC
    (folder / "RowLevelCatalog.java").write_text(_SOURCE)
    classes, jars = folder / "classes", Path(pyspark.__path__[0], "jars")
    compiled = [JAVAC, "-nowarn", "-cp", f"{jars}/*", "-d", classes, folder / "RowLevelCatalog.java"]
    subprocess.run(compiled, check=True, capture_output=True)
    jar = folder / "row-level.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for each in classes.glob("*.class"):
            archive.write(each, each.name)
    return jar
