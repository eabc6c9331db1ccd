"""Carries flags from chosen records up through programs of RDDs and DataFrames, as often as they go to and fro.

RDDs carry flags as `flagging.py` has it, DataFrames as `lineage/flags.py` does. Where the rows of a DataFrame are
elements, their flags go along with them; where a DataFrame is made of elements, it gets a column for their flags.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from bigdebug.lineage.annotated import Annotated, IdColumn
from bigdebug.lineage.asking import asking, jobs_of_ours
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.estimate import bytes_read
from bigdebug.lineage.flags import Flagging
from bigdebug.lineage.found import Step
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd import flags
from bigdebug.lineage.rdd.annotator import contributing
from bigdebug.lineage.rdd.doubts import doubts_about, doubts_about_keys
from bigdebug.lineage.rdd.flagging import Flagger
from bigdebug.lineage.rdd.frames import Frame, functions_given
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.joints import rows_of_elements
from bigdebug.lineage.rdd.kinds import INTO_FRAME, OF_FRAME
from bigdebug.lineage.rdd.mixed import all_operators
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rdd.walk import Predicate
from bigdebug.lineage.reached import flagging_of, steps_of, unfollowed

_BARRIER = "it reads what a barrier stage gave"


class Carrier:
    """Carries flags. One for all outputs of a question: what they have in common is looked up once.

    Args:
        context: the SparkContext.
        frames: the DataFrames that the programs go through, as `frames_below` found them.
        chosen: which records, by the operator that reads their source as an RDD; None for all of it.
        is_leaf: whether a source of a DataFrame holds records that are asked about.
        where: which of these records; None for all.

    Attributes:
        flagger: makes RDDs with flags.
    """

    def __init__(
        self,
        context: Any,
        frames: Mapping[RddOperator, Frame],
        chosen: Mapping[RddOperator, Predicate | None],
        is_leaf: Callable[[SourceLeaf], bool] = lambda _: False,
        where: Any = None,
    ) -> None:
        self._context = context
        self._is_leaf = is_leaf
        self._where = where
        self._chosen = chosen
        self._leading: dict[RddOperator, bool] = {}
        self.frames = frames
        self.flagged = {operator: FlaggedFrame(frame, self) for operator, frame in frames.items()}
        self.flagger = Flagger(context, chosen, self.flagged)

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Around what is asked of RDDs."""
        with jobs_of_ours(self._context, what), travelling():
            yield

    def flagging(self, question: Question, joints: Mapping[SourceLeaf, RddOperator]) -> Flagging:
        """What flags the rows of a DataFrame.

        Args:
            question: about it.
            joints: by leaf, the operators that made DataFrames of RDDs.
        """
        leaves = [leaf for leaf in question.sources.values() if self._is_leaf(leaf)]
        made = {
            leaf.operator: _Rows(question.catalyst, leaf, joint, self.flagger)
            for leaf, joint in joints.items()
            if self.leads(joint)
        }
        return flagging_of(question, leaves, self._where, made)

    def leads(self, operator: RddOperator) -> bool:
        """Whether chosen records may have gone into what an operator gives."""
        if operator in self._leading:
            return self._leading[operator]
        for each in sorted(operator.walk(), key=lambda each: each.serial):
            if each in self._leading:
                continue
            if each in self._chosen:
                leads = True
            elif each in self.frames:
                leads = self.leads_into(self.frames[each].question, self.frames[each].joints)
            else:
                leads = any(self._leading[below] for below in contributing(each))
            self._leading[each] = leads
        return self._leading[operator]

    def leads_into(self, question: Question, joints: Mapping[SourceLeaf, RddOperator]) -> bool:
        """The same of a DataFrame."""
        return any(map(self._is_leaf, question.sources.values())) or any(map(self.leads, joints.values()))


class Ways:
    """What leads to operators of RDDs, through all of a program.

    Args:
        carrier: of flags.
        tops: the operators, with the functions given to each.
    """

    def __init__(self, carrier: Carrier, tops: Mapping[RddOperator, Frozen]) -> None:
        self._carrier = carrier
        self._tops = tops

    def steps(self) -> Iterator[Step]:
        """The operators that chosen records may go through, from the source up."""
        carrier = self._carrier
        given = functions_given(self._tops, carrier.frames, contributing)
        for operator in sorted(given, key=lambda each: each.serial):
            if operator.kind == INTO_FRAME or not carrier.leads(operator):
                continue
            if operator.kind == OF_FRAME:
                yield from carrier.flagged[operator].steps()
            elif not operator.inputs:
                continue
            elements = partial(carrier.flagger.reached, operator, given[operator])
            with carrier.asking("steps"):
                count = int(elements().count())
            yield Step(operator.label, operator.call_site, count, partial(self._shown, elements))

    def doubts(self) -> list[str]:
        """Why another run may give other elements."""
        tops = [*self._tops, *(joint for each in self._frames for joint in each.joints.values())]
        found = [doubt for top in tops for doubt in doubts_about(top)]
        for frame in self._frames:
            found += frame.question.doubts()
        found += self.ends()
        found += doubts_about_keys(self._carrier.flagger.nan_keys & self._operators)
        return list(dict.fromkeys(found))

    def ends(self) -> list[str]:
        """Where it isn't known what leads further down: records may have come that way."""
        found = [told for frame in self._frames for told in unfollowed(frame.question)]
        return [*found, *(_BARRIER for each in self._operators if each.arguments.get("barrier"))]

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        read = [size for operator in self._operators for _, size, _ in operator.listed or ()]
        questions = [frame.question for frame in self._frames]
        return int(sum(read)) + sum(bytes_read(each.catalyst, each.sources.values()) for each in questions)

    # -- inside -------------------------------------------------------------------------------------

    @cached_property
    def _operators(self) -> set[RddOperator]:
        found: set[RddOperator] = set()
        waiting = list(self._tops)
        while waiting:
            fresh = all_operators([waiting.pop()], {}) - found
            found |= fresh
            frames = [self._carrier.frames[each] for each in fresh if each in self._carrier.frames]
            waiting += [joint for frame in frames for joint in frame.joints.values()]
        return found

    @property
    def _frames(self) -> list[Frame]:
        return [frame for operator, frame in self._carrier.frames.items() if operator in self._operators]

    def _shown(self, elements: Callable[[], Any]) -> Any:
        with self._carrier.asking("elements of a step"):
            return elements()


class FlaggedFrame:
    """A DataFrame whose rows are elements.

    Args:
        frame: the DataFrame.
        carrier: of flags.
    """

    def __init__(self, frame: Frame, carrier: Carrier) -> None:
        self._frame = frame
        self._carrier = carrier

    def elements(self, _: int) -> Any:
        """Its rows with flags."""
        question, flagging = self._frame.question, self.flagging
        catalyst = question.catalyst
        with asking(catalyst, "rows of a DataFrame"):
            annotated = flagging.annotate(question.root)
            reached = flagging.is_reached(annotated)
            own = catalyst.output(question.root.plan)
            row = catalyst.alias(catalyst.struct((each.name(), each) for each in own), fresh_name("row"))
            truth = catalyst.literal(False) if reached is None else reached
            plan = catalyst.project([row, catalyst.alias(truth, fresh_name("flag"))], annotated.plan)
            return catalyst.frame(plan).rdd.map(flags.flagged_row, True)

    def steps(self) -> Iterator[Step]:
        """Its operators on the way, from the source up."""
        return steps_of(self._frame.question, self.flagging)

    @cached_property
    def flagging(self) -> Flagging:
        """What flags its rows."""
        return self._carrier.flagging(self._frame.question, self._frame.joints)


class _Rows:
    """The rows of a DataFrame that was made of elements, with the flags of these.

    Args:
        catalyst: of the session.
        leaf: the DataFrame.
        joint: the operator that made it.
        flagger: makes RDDs with flags.
    """

    def __init__(self, catalyst: Catalyst, leaf: SourceLeaf, joint: RddOperator, flagger: Flagger) -> None:
        self._catalyst = catalyst
        self._leaf = leaf
        self._joint = joint
        self._flagger = flagger

    def __call__(self) -> Annotated:
        catalyst, own = self._catalyst, self._leaf.operator.plan
        *made, flagged = catalyst.output(self._plan)
        pairs = zip(made, catalyst.output(own), strict=True)
        columns = [catalyst.alias(new, old.name(), old.exprId()) for new, old in pairs]
        flag = catalyst.alias(flagged, fresh_name("flag"))
        plan = catalyst.project([*columns, flag], self._plan)
        return Annotated(plan, (IdColumn(self._leaf, flag.toAttribute()),))

    @cached_property
    def _plan(self) -> Any:
        joint = self._joint
        frozen = joint.frozen or {}
        schema = json.loads(str(self._leaf.operator.plan.schema().json()))
        schema["fields"].append(
            {"name": fresh_name("flag"), "type": "boolean", "nullable": False, "metadata": {}}
        )
        with travelling():
            elements = self._flagger.annotated(joint.inputs[0], frozen)
            functions = self._flagger.arguments(joint, frozen)["functions"]
            rows = elements.mapPartitionsWithIndex(flags.rows_with_flags(functions), True)
            return rows_of_elements(self._catalyst, rows, [], json.dumps(schema))
