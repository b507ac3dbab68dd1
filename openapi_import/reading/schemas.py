"""Schemas of an OpenAPI document as schemas that every model provider takes, for the request's direction.

No reference is left: what is referred to is written where it is used, down to a depth that the caller chooses by size.
Below that depth only what is required is kept, and where a required circle has a way out (null, an empty list, another
branch) that way is taken. So what the result allows is, with few exceptions, allowed by the document too, and
every difference is a `Loss`. What was converted once for one depth is used again: a document of thousands of
operations is read in the time of its parts.
"""

from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading import keywords
from openapi_import.reading.discriminators import Discriminators
from openapi_import.reading.keywords import size_of, words
from openapi_import.reading.merging import agree, both
from openapi_import.reading.parts import (
    ANYTHING,
    MAX_LOSSES,
    NOTHING,
    Loss,
    Part,
    Schema,
    annotated,
    any_of,
    described,
    joined,
    left_open,
    null_part,
    with_null,
)
from openapi_import.reading.references import target
from openapi_import.reading.text import Document

OLD = ("2.0", "3.0")  # `nullable`; what stands beside a reference does not count
MAX_LEVELS = 120  # of conversions inside each other
MAX_STEPS = 20_000  # conversions for one operation
MAX_PART_BYTES = 24 * 1024  # beyond it a part is shown to a lesser depth
MAX_SPREAD_BYTES = 6_144  # what a schema may grow to when its own rules are written into its branches
_NOT_TAKEN = (
    "not", "if", "dependentSchemas", "dependentRequired", "dependencies", "contains", "propertyNames",
    "unevaluatedProperties", "unevaluatedItems",
)  # fmt: skip


class Schemas:
    """The schemas of one document. `part` is the whole use of it; `begin` before each operation."""

    def __init__(self, document: Document, dialect: str) -> None:
        self.document = document
        self.dialect = dialect
        self.old = dialect in OLD
        self._shared: dict[tuple[int, int, bool], Part] = {}
        self._local: dict[tuple[int, int], Part] = {}
        self._whole: dict[int, Part] = {}
        self._targets: dict[str, Any] = {}
        self._open: set[tuple[int, int, bool]] = set()
        self._alive: list[Schema] = []
        self._discriminators = Discriminators(document, self.resolved)
        self._steps = self._level = 0

    def begin(self) -> None:
        """Forget what only the operation before could use."""
        self._local.clear()
        self._whole.clear()
        self._open.clear()
        self._alive.clear()
        self._steps = self._level = 0

    def resolved(self, schema: Any) -> Any:
        """`schema`, or what it refers to through any chain of references; None for a circle or a dead end."""
        for _ in range(30):
            if not (isinstance(schema, dict) and isinstance(schema.get("$ref"), str)):
                return schema
            schema = self._target(schema["$ref"])
        return None

    def answered_only(self, schema: Any) -> bool:
        """Whether a property is `readOnly`: part of answers, never of a request."""
        for _ in range(30):
            found = self.resolved(schema)
            if any(isinstance(one, dict) and one.get("readOnly") is True for one in (schema, found)):
                return True
            parts = found.get("allOf") if isinstance(found, dict) else None
            if not (
                isinstance(parts, list)
                and len(parts) == 1
                and isinstance(parts[0], dict)
                and "$ref" in parts[0]
            ):
                return False
            schema = parts[0]
        return False

    def has_children(self, schema: Schema) -> bool:
        """Whether a schema stands for the schemas that inherit from it."""
        return bool(self._discriminators.children(schema)[0])

    def inherits(self, child: Schema, parent: Any) -> bool:
        """Whether `parent`, one of the `allOf` of `child`, is a base whose discriminator tells of `child` too."""
        aim = self.resolved(parent)
        if not self._discriminators.has(aim):
            return False
        choices = aim.get("oneOf") or aim.get("anyOf")
        if not isinstance(choices, list) or not choices:
            return True
        return any(self.resolved(choice) is child for choice in choices)

    def part(
        self, schema: Any, depth: int, wanted: frozenset[str] = NOTHING, *, base: bool = False
    ) -> Part | None:
        """`schema` with `depth` levels of properties and items, and only what is required (or `wanted`) below.

        `base`: as the parent of an inheriting schema, without its own list of children. None where no value of it
        would ever end.
        """
        if not isinstance(schema, dict) or not schema:
            return ANYTHING
        mark = id(schema)
        if not wanted and not base:
            whole = self._whole.get(mark)
            if whole is not None:
                return whole
            known = self._local.get((mark, depth))
            if known is not None:
                return known
        self._steps += 1
        if self._steps > MAX_STEPS or self._level > MAX_LEVELS:
            return Part({}, 2, losses=(Loss("", "is left open, because it is nested too deeply"),))
        self._level += 1
        try:
            if isinstance(schema.get("$ref"), str):
                found = self._referred(schema, depth, wanted, base)
            else:
                found = self._converted(schema, depth, wanted, base)
        finally:
            self._level -= 1
        if found is not None and found.size > MAX_PART_BYTES:
            found = self.part(schema, depth - 1, wanted, base=base) if depth else left_open(found)
        if found is not None and not wanted and not base:
            self._local[mark, depth] = found
            if not found.cut and depth == 0:
                self._whole[mark] = found
        return found

    def _target(self, reference: str) -> Any:
        if reference not in self._targets:
            try:
                self._targets[reference] = target(self.document, reference)
            except SpecInvalid:
                self._targets[reference] = None
        return self._targets[reference]

    def _referred(self, schema: Schema, depth: int, wanted: frozenset[str], base: bool) -> Part | None:
        aim = self._target(schema["$ref"])
        if aim is None:
            return Part({}, 2, losses=(Loss("", f"refers to {schema['$ref'][:120]}, which is not there"),))
        found = self._named(aim, depth, wanted, base)
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if found is None or not beside:
            return found
        if self.old:
            text = words(beside.get("description"))
            return described(found, text) if text else found
        own = self._converted(beside, depth, wanted, base)
        return found if own is None else joined([own, found])

    def _named(self, aim: Any, depth: int, wanted: frozenset[str], base: bool) -> Part | None:
        """What a reference points to, converted once for each depth. None inside itself."""
        if not isinstance(aim, dict):
            return ANYTHING
        key = (id(aim), depth, base)
        if key in self._open:
            return None
        if not wanted and key in self._shared:
            return self._shared[key]
        self._open.add(key)
        try:
            found = self.part(aim, depth, wanted, base=base)
        finally:
            self._open.discard(key)
        if found is not None and not wanted and self._steps <= MAX_STEPS:
            self._shared[key] = found
        return found

    # One schema

    def _converted(self, schema: Schema, depth: int, wanted: frozenset[str], base: bool) -> Part | None:
        losses: list[Loss] = [
            Loss("", f"has the rule `{key}`, which only the business system checks")
            for key in _NOT_TAKEN
            if key in schema
        ]
        all_of, choices, pinned = self._compound(schema, base)
        if depth == 0 and (all_of or choices):
            wanted = wanted | self._required(schema)
        own = self._own(schema, depth, wanted, losses)
        nullable = self._nullable(schema)
        if own is None:
            return null_part() if nullable else None
        parts = [own]
        for other in all_of:
            inherited = self.inherits(schema, other)
            found = self.part(other, depth, wanted, base=inherited)
            if found is None and not inherited and self._discriminators.has(self.resolved(other)):
                found = self.part(other, depth, wanted, base=True)
            if found is None:
                return null_part() if nullable else None
            parts.append(found)
        together = joined(parts) if len(parts) > 1 else own
        if choices:
            chosen = self._chosen(choices, pinned, together, depth, wanted, null=nullable)
            if chosen is None:
                return null_part() if nullable else None
            together = chosen
        elif nullable and together.value:
            together = with_null(together)
        return annotated(together, schema, losses)

    def _compound(self, schema: Schema, base: bool) -> tuple[list[Any], list[Any], list[Schema | None]]:
        """(allOf, the branches of oneOf or anyOf, what each branch pins of the discriminator)."""
        all_of = schema.get("allOf")
        parts = [part for part in all_of if part is not True] if isinstance(all_of, list) else []
        if base:
            return parts, [], []
        choices: list[Any] = []
        for key in ("oneOf", "anyOf"):
            branches = schema.get(key)
            if not isinstance(branches, list) or not branches:
                continue
            if choices:
                parts.append(self.kept({"anyOf": branches}))  # both: the second as a rule of its own
            else:
                choices = branches
        if choices:
            return parts, choices, self._discriminators.pins(schema, choices)
        children, pins = self._discriminators.children(schema)
        return parts, children, pins

    def _own(self, schema: Schema, depth: int, wanted: frozenset[str], losses: list[Loss]) -> Part | None:
        """The keywords of the schema itself."""
        kinds, _ = keywords.types_of(schema)
        if len(kinds) > 1:
            branches = []
            for kind in kinds:
                branch = self._of_type({**schema, "type": kind}, kind, depth, wanted, losses)
                if branch is not None:
                    branches.append(branch)
            return any_of(branches) if branches else None
        if not kinds and (keywords.types_of(schema)[1] or keywords.only_null(schema)):
            return null_part()
        return self._of_type(schema, kinds[0] if kinds else "", depth, wanted, losses)

    def _of_type(
        self, schema: Schema, kind: str, depth: int, wanted: frozenset[str], losses: list[Loss]
    ) -> Part | None:
        found: Schema = {"type": kind} if kind else {}
        found.update(keywords.checks(schema, kind, lambda text: losses.append(Loss("", text))))
        values = keywords.values_of(schema, kind)
        if values:
            kind = kind or ("string" if all(isinstance(value, str) for value in values) else "")
            if size_of(values) > keywords.MAX_ENUM_BYTES:
                losses.append(Loss("", f"is one of {len(values)} values, which are not listed"))
                found["description"] = (
                    f"One of {len(values)} values, for example {', '.join(map(str, values[:8]))}."
                )
            else:
                limits = keywords.limited(values, kind)
                found = both(limits, {} if "anyOf" in limits else found)
        if kind == "array":
            return self._array(schema, found, depth)
        if kind == "object":
            return self._object(schema, found, depth, wanted)
        if not kind and isinstance(schema.get("required"), list):
            found["required"] = _names(schema["required"])
        return Part(found, size_of(found)) if found else ANYTHING

    def _array(self, schema: Schema, found: Schema, depth: int) -> Part | None:
        items, losses = schema.get("items"), []
        tuples = schema.get("prefixItems") if isinstance(schema.get("prefixItems"), list) else items
        if isinstance(tuples, list):
            losses.append(
                Loss("", "is a list whose items differ by position; here they may come in any order")
            )
            rest = [items] if isinstance(items, dict) and items else []
            items = {"anyOf": [*tuples, *rest]} if tuples else {}
            items = self.kept(items)
        if items is False:
            return Part({**found, "maxItems": 0}, size_of(found) + 13)
        part = self.part(items, max(depth - 1, 0))
        if part is None:
            if found.get("minItems"):
                return None
            losses.append(Loss("[]", "contains itself; the list stays empty here"))
            found = {**found, "maxItems": 0}
            return Part(found, size_of(found), cut=True, losses=tuple(losses))
        losses += [loss.under("[]") for loss in part.losses]
        size = size_of(found) + part.size + 9
        return Part({**found, "items": part.value}, size, part.cut, tuple(losses[:MAX_LOSSES]))

    def kept(self, made: Schema) -> Schema:
        """A schema that is not in the document: kept, since conversions are remembered by identity."""
        self._alive.append(made)
        return made

    def _object(self, schema: Schema, found: Schema, depth: int, wanted: frozenset[str]) -> Part | None:
        declared = schema.get("properties")
        properties: Schema = declared if isinstance(declared, dict) else {}
        required = _names(schema.get("required"))
        shown: Schema = {}
        hidden: list[str] = []
        losses: list[Loss] = []
        left, cut = 0, False
        size = 0
        for name, raw in properties.items():
            if self.answered_only(raw) or raw is False:
                hidden.append(name)
                continue
            needed = name in required or name in wanted
            if depth == 0 and not needed:
                left += 1
                continue
            part = self.part(raw, max(depth - 1, 0))
            if part is None:
                if needed:
                    return None
                left += 1
                continue
            shown[name] = part.value
            size += part.size + len(name) + 4
            cut = cut or part.cut
            if part.losses and len(losses) < MAX_LOSSES:
                losses += [loss.under(name) for loss in part.losses]
        if shown:
            found["properties"] = {}
        needed_here = [name for name in required if name not in hidden]
        if needed_here:
            found["required"] = needed_here
        if left:
            cut = True
            losses.insert(
                0, Loss("", f"has {left} more optional field{'s' if left > 1 else ''}, left out for its size")
            )
        other = self._others(schema, depth, shown, losses)
        if other is not None:
            found["additionalProperties"] = other
        size += size_of(found)
        if shown:
            found["properties"] = shown
        return Part(found, size, cut, tuple(losses[:MAX_LOSSES]), frozenset(hidden))

    def _others(self, schema: Schema, depth: int, shown: Schema, losses: list[Loss]) -> Any:
        """`additionalProperties`: false, or a schema; true for an object that says nothing of its properties."""
        others = schema.get("additionalProperties")
        patterns = schema.get("patternProperties")
        if isinstance(patterns, dict) and patterns:
            losses.append(Loss("", "has rules for names of a pattern, which only the business system checks"))
            if len(patterns) == 1 and others in (False, None) and not shown:
                others = next(iter(patterns.values()))
            else:
                others = None if others is False else others
        if others is False:
            return False
        if isinstance(others, dict) and others:
            part = self.part(others, max(depth - 1, 0))
            if part is not None and part.value:
                losses += [loss.under("*") for loss in part.losses]
                return part.value
            return False if part is None else True
        return True if not shown and not schema.get("properties") else None

    # Branches and null

    def _chosen(
        self,
        choices: list[Any],
        pinned: list[Schema | None],
        own: Part,
        depth: int,
        wanted: frozenset[str],
        *,
        null: bool,
    ) -> Part | None:
        """One of several schemas, `own` holding for each of them."""
        branches: list[Part] = []
        lost: list[Loss] = []
        for branch, pin in zip(choices, pinned, strict=True):
            if isinstance(branch, dict) and branch.get("type") == "null":
                null = True
                continue
            part = self.part(branch, depth, wanted)
            if part is None:
                lost.append(Loss("", "may contain itself; that branch is left out"))
                continue
            if pin is not None and agree(part.value, pin):
                part = joined([part, Part(pin, size_of(pin))])
            branches.append(part)
        if not branches:
            return Part({"type": "null"}, 15, bool(lost), tuple(lost)) if null else None
        if own.value and any(not branch.value for branch in branches):
            return with_null(own) if null else own
        total = sum(branch.size for branch in branches) + own.size * len(branches)
        plain = own.value.get("type") in (None, "object") and not own.value.get("properties")
        if own.value and (len(branches) == 1 or plain or total <= MAX_SPREAD_BYTES):
            fitting = [branch for branch in branches if agree(own.value, branch.value)] or branches
            found = any_of([joined([own, branch]) for branch in fitting], null=null)
        elif own.value:
            choice = any_of(branches, null=null)
            found = joined([own, choice])
        else:
            found = any_of(branches, null=null)
        return Part(found.value, found.size, found.cut or bool(lost), (*lost, *found.losses), found.hidden)

    def _nullable(self, schema: Schema) -> bool:
        if self.dialect == "2.0":
            return schema.get("x-nullable") is True
        if self.old:
            return schema.get("nullable") is True
        declared = schema.get("type")
        if declared is None:
            return keywords.lists_null(schema)
        return isinstance(declared, list) and "null" in declared and len(declared) > 1

    def _required(self, schema: Any, hops: int = 0) -> frozenset[str]:
        """What a schema requires by itself and by its `allOf`."""
        found = self.resolved(schema)
        if not isinstance(found, dict) or hops > 8:
            return NOTHING
        names = frozenset(_names(found.get("required")))
        for part in found["allOf"] if isinstance(found.get("allOf"), list) else ():
            names |= self._required(part, hops + 1)
        return names


def _names(value: Any) -> list[str]:
    return (
        list(dict.fromkeys(name for name in value if isinstance(name, str)))
        if isinstance(value, list)
        else []
    )
