"""Does wind delay flights? The windiest days of each airport, in SQL: joins, a CTE, a window.

The wrong row: Newark's wind blew at 1,048 miles an hour on 12 February, and nobody was late. To see the
records behind it, of the weather alone:

    bigdebug run flights_weather.py
    bigdebug trace last 1 --where "wind > 200" --source weather --limit 4
"""

from nycflights import csv_file
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[*]").appName("wind").getOrCreate()
reader = spark.read.options(header=True, inferSchema=True, nullValue="NA")
for table in ("flights", "weather", "airports"):
    reader.csv(csv_file(table)).createOrReplaceTempView(table)

windiest = spark.sql("""
    with wind as (
        select origin, month, day, max(wind_speed) as wind
        from weather
        group by origin, month, day
    ),
    delays as (
        select origin, month, day, avg(dep_delay) as delay, count(dep_delay) as flights
        from flights
        group by origin, month, day
    ),
    ranked as (
        select
            name, month, day, round(wind) as wind, round(delay) as delay, flights,
            rank() over (partition by name order by wind desc) as place
        from wind
        join delays using (origin, month, day)
        join airports on faa = origin
    )
    select * from ranked where place <= 3 order by name, place, month, day
""")

for row in windiest.collect():
    print(f"{row.name:20} {row.month:3}/{row.day:<3} wind {row.wind:5.0f}  delay {row.delay:3.0f}")
