"""Which SparkSessions are attached, and to which recorder: the one registry the wrapped methods look in."""

import os
import threading
import weakref
from functools import cached_property
from typing import Any

from bigdebug.lineage.recorder import Recorder

NODE_TAG = "bigdebug.node"

_KEY = "_bigdebug"


class Attachment:
    """One attached SparkSession, or a SparkContext without one.

    Args:
        spark: the PySpark session; None for a bare context.
        recorder: what records it.
        above: the attachment that this one ends with: that of the session whose streaming query made it.
        context: the SparkContext, where there is no session.

    Attributes:
        active: whether it is attached now.
        face: what users hold of it.
        context: the SparkContext.
        jsession: the JVM session; None for a bare context.
        conf: its JVM `SQLConf`.
        tag: the JVM `TreeNodeTag` under which plans carry the node that asked for them.
        current: the JVM `TreePattern` of plans that ask for what is current: the time, the user, the database.
    """

    def __init__(
        self, spark: Any, recorder: Recorder, above: "Attachment | None" = None, context: Any = None
    ) -> None:
        self.spark = spark
        self.context = context if spark is None else spark._sc
        self.above = above
        self.recorder = recorder
        self.active = False
        self.face: Any = None
        self.jsession: Any = None
        if spark is None:
            return
        self.jsession = spark._jsparkSession
        # SQLConf is the session's own for as long as it lives; asked for once, a clone of it costs one call.
        self.conf = spark._jsparkSession.sessionState().conf()
        self.current = getattr(spark._jvm, "org.apache.spark.sql.catalyst.trees.TreePattern").CURRENT_LIKE()

    @cached_property
    def tag(self) -> Any:
        """A bare context's RDDs become DataFrames of sessions that aren't attached."""
        return getattr(self.context._jvm, "org.apache.spark.sql.catalyst.trees.TreeNodeTag")(NODE_TAG)


class Attachments:
    """The attached sessions, in the order they were attached. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kept: list[Attachment] = []
        self._all: list[weakref.ref[Attachment]] = []
        # Counts changes: what a session object remembers of not being attached holds until the next.
        self._changes = 0

    def add(self, attachment: Attachment, *, keep: bool = True) -> None:
        """Attach a session.

        Args:
            attachment: the session's.
            keep: until it is removed. Otherwise it goes away with the session: a service that makes one for
                each request, all of them recorded, mustn't grow by them.
        """
        with self._lock:
            if keep:
                self._kept.append(attachment)
            self._all = [each for each in self._all if each() is not None]
            self._all.append(weakref.ref(attachment))
            self._changes += 1
            attachment.active = True
            (attachment.context if attachment.spark is None else attachment.spark).__dict__[_KEY] = attachment

    def remove(self, attachment: Attachment) -> None:
        """Detach a session; does nothing where it isn't attached."""
        with self._lock:
            if attachment.active:
                attachment.active = False
                self._kept = [each for each in self._kept if each is not attachment]
                self._all = [each for each in self._all if each() not in (None, attachment)]
                self._changes += 1
                for each in self.all():
                    if each.above is attachment:
                        self.remove(each)

    def clear(self) -> None:
        """Forget all; in a forked child, whose copies of our threads and locks are dead."""
        self._lock = threading.RLock()
        for attachment in self.all():
            attachment.active = False
        self._kept, self._all = [], []
        self._changes += 1

    def all(self) -> list[Attachment]:
        """The attached sessions, oldest first."""
        with self._lock:
            return [attachment for each in self._all if (attachment := each()) is not None]

    def of(self, spark: Any) -> Attachment | None:
        """The attachment of a session, also through another Python object for the same JVM session."""
        known = spark.__dict__.get(_KEY)
        if type(known) is Attachment:
            if known.active:
                return known
        elif known == self._changes:
            return None
        jsession = spark.__dict__.get("_jsparkSession")
        with self._lock:
            for each in self.all():
                if None not in (jsession, each.jsession) and (
                    each.jsession is jsession or each.jsession.equals(jsession)
                ):
                    spark.__dict__[_KEY] = each
                    return each
            spark.__dict__[_KEY] = self._changes
        return None

    def of_context(self, context: Any) -> Attachment | None:
        """The attachment that the RDDs of a context belong to: the first one made that is still there."""
        return next((each for each in self.all() if each.context is context), None)


attachments = Attachments()

os.register_at_fork(after_in_child=attachments.clear)
