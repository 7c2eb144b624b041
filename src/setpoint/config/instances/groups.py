"""Channel groups: one channel per entry of ``each``, made of the group's own fields, what overrides add, and the entry's."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from typing import Any

from pydantic_core import PydanticCustomError

from setpoint.config.catalog import ApplicationEntries, Catalog, CatalogEntry, Group
from setpoint.config.documents import ChannelFields
from setpoint.config.documents.validate import locate, read_model
from setpoint.config.instances.labels import data_of
from setpoint.config.instances.scope import own_labels, place_labels
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax import paths
from setpoint.config.syntax.merging import merge_trees
from setpoint.config.syntax.values import NAME, describe, read_name
from setpoint.config.syntax.yaml import Mapping, Scalar, place_of, read_documents
from setpoint.model.grammars.selector import parse_selector

SOURCES = ("runtimes", "items", "itemsFrom", "pullRequests")
"""Where entries come from: exactly one."""
OF_GROUP = ("each", "overrides", "together", "limits")
"""What a group has for itself: its channels do not inherit it."""
NOT_PER_ENTRY = ("each", "overrides", "together", "kind", "apiVersion", "application")
"""Fields that neither an entry nor an override can have."""


def expand_groups(catalog: Catalog, files: AnyMapping[str, bytes], problems: Problems) -> None:
    """Puts the channels of every group in its place; errors go to ``problems``."""
    for application, below in catalog.below.items():
        _Expansion(catalog, application, below, files, problems).expand()


class _Expansion:
    """The groups of one application."""

    def __init__(
        self,
        catalog: Catalog,
        application: str,
        below: ApplicationEntries,
        files: AnyMapping[str, bytes],
        problems: Problems,
    ) -> None:
        self._catalog, self._application, self._below = catalog, application, below
        self._files, self._problems = files, problems

    def expand(self) -> None:
        written, self._below.channels = self._below.channels, {}
        for name, entry in written.items():
            if "each" in entry.tree:
                self._below.groups[name] = Group(entry, tuple(self._members(entry, written)))
            else:
                self._below.channels[name] = entry

    def _members(self, group: CatalogEntry[ChannelFields], taken: AnyMapping[str, CatalogEntry[ChannelFields]]) -> Iterator[str]:
        """Makes the channels of a group."""
        names: dict[str, Mapping] = {}
        for item in self._items(group):
            name = self._name(group, item, names, {**taken, **self._below.channels})
            if name is None:
                self._catalog.complete = False
                continue
            names[name] = item
            self._below.channels[name] = self._member(group, item, name)
            self._below.group_of[name] = group.name
            yield name
        self._check_unused(group)
        if not names and self._catalog.complete and not self._may_be_empty(group) and not data_of(group.tree):
            self._add(
                "empty-group",
                locate(group.tree, ("each",)),
                group,
                f'group "{group.name}" has no channel at all.',
                "Correct what it is made of, or write `allowEmpty: true` in `each`.",
            )

    def _may_be_empty(self, group: CatalogEntry[ChannelFields]) -> bool:
        each = group.tree["each"]
        return not group.sound or (isinstance(each, Mapping) and each.get("allowEmpty") == "true")

    # --- where entries come from ---------------------------------------------------------------------------------------

    def _items(self, group: CatalogEntry[ChannelFields]) -> list[Mapping]:
        each = group.tree["each"]
        used = [name for name in SOURCES if isinstance(each, Mapping) and name in each]
        if len(used) != 1 and isinstance(each, Mapping | Scalar):
            found = f"{' and '.join(used)} together" if used else "none"
            self._add(
                "one-source-of-entries",
                locate(group.tree, ("each",)),
                group,
                f"`each` has exactly one of {', '.join(SOURCES[:3])}, but this one has {found}.",
                "Write one, such as `each: {items: [{name: eu}, {name: us}]}`.",
            )
        model = group.model.each if group.model else None
        if model is None or len(used) != 1 or "pullRequests" in used:
            self._catalog.complete = False
            return []
        if model.runtimes is not None:
            return list(self._runtimes(model.runtimes))
        if model.items_from is not None:
            return self._file(group, model.items_from)
        return [item for item in model.items or () if isinstance(item, Mapping)]

    def _runtimes(self, select: Any) -> Iterator[Mapping]:
        """An entry for each runtime with these labels, by name."""
        for name, runtime in sorted(self._catalog.runtimes.items()):
            labels = own_labels(runtime.model) if runtime.model else {}
            if select.matches(labels | {"runtime": name}):
                place = locate(runtime.tree, ("name",))
                text = Scalar.of(name, place)
                yield Mapping({Scalar.of("name", place): text, Scalar.of("runtime", place): text}, position=place)

    def _file(self, group: CatalogEntry[ChannelFields], written: str) -> list[Mapping]:
        try:
            path = paths.beside(place_of(written).file, written)
        except paths.PathError as error:
            return self._no_file(group, written, error.code, str(error), error.hint)
        if paths.is_document(path):
            hint = "Give it another name, such as tenants.yaml: *.setpoint.yaml are documents."
            return self._no_file(group, written, "file-is-a-document", f'"{path}" is read as a document of its own.', hint)
        if path not in self._files:
            hint = "Correct the path: it is relative to this document."
            return self._no_file(group, written, "missing-file", f'the file "{path}" is not there.', hint)
        trees, whole = read_documents(path, self._files[path], self._problems)
        self._catalog.complete = self._catalog.complete and whole
        found = trees[0] if trees else None
        if len(trees) > 1 or not isinstance(found, list):
            if whole:
                place = place_of(found) if found is not None and not isinstance(found, list) else Position(path)
                self._no_list(group, place)
            return []
        return [item for number, item in enumerate(found) if self._is_entry(item, group, number)]

    def _no_file(self, group: CatalogEntry[ChannelFields], written: str, code: str, message: str, hint: str) -> list[Mapping]:
        self._catalog.complete = False
        self._add(code, place_of(written), group, message, hint)
        return []

    def _no_list(self, group: CatalogEntry[ChannelFields], place: Position) -> None:
        self._catalog.complete = False
        self._add(
            "expected-list",
            place,
            group,
            "a file of entries is one list.",
            "Write `- {name: …, runtime: …}`, one line for each channel.",
        )

    def _is_entry(self, item: Any, group: CatalogEntry[ChannelFields], number: int) -> bool:
        if isinstance(item, Mapping):
            return True
        self._catalog.complete = False
        message = f"entry {number + 1} is a map of a channel's fields, not {describe(item)}."
        self._add("expected-map", place_of(item), group, message, "Write `{name: …}` and what is different there.")
        return False

    # --- one entry -----------------------------------------------------------------------------------------------------

    def _name(
        self, group: CatalogEntry[ChannelFields], item: Mapping, before: dict[str, Mapping], taken: AnyMapping[str, Any]
    ) -> str | None:
        """The channel's name; None where it cannot have one."""
        own = item.get("name")
        place = locate(item, ("name",))
        if own is None:
            self._add("missing-key", item.position, group, "an entry has no `name`.", "Add `name: …`, unique in its group.")
            return None
        if not isinstance(own, Scalar) or not own or own.startswith("-") or not NAME.fullmatch(f"x{own}"):
            self._add("bad-name", place, group, f"{describe(own)} is not a valid name.", _name_hint(own))
            return None
        name = f"{group.name}-{own}"
        if len(name) > 63:
            self._add(
                "bad-name", place, group, f'"{name}" is too long for the name of a channel.', "Names have at most 63 characters."
            )
            return None
        if name in before:
            first = before[name].position
            message = f'two entries of group "{group.name}" are named "{own}", first at {first.file}:{first.line}.'
            self._add("duplicate-name", place, group, message, "Rename one of the two, or merge them.")
            return None
        if name in taken:
            first = taken[name].tree.position
            message = (
                f'"{name}" names two channels of application "{self._application}", first at {first.file}:{first.line}: '
                "that of an entry is its group's and its own."
            )
            self._add("duplicate-name", place, group, message, "Rename one of the two.")
            return None
        return name

    def _member(self, group: CatalogEntry[ChannelFields], item: Mapping, name: str) -> CatalogEntry[ChannelFields]:
        own = self._fields(group, item, "an entry")
        tree = merge_trees(self._overridden(group, own, name), own, self._report(group))
        tree[Scalar.of("name", item.position)] = Scalar.of(name, locate(item, ("name",)))
        tree.position = item.position
        label = f'{group.label} entry "{item["name"]}"'
        model, sound = read_model(ChannelFields, tree, label, self._problems)
        return CatalogEntry(name, tree, model, sound and group.sound, label)

    def _overridden(self, group: CatalogEntry[ChannelFields], own: Mapping, name: str) -> Mapping:
        """The group's fields with those of the overrides that match over them, from top to bottom."""
        result = _inherited(group.tree)
        for override in group.model.overrides if group.model else ():
            labels = self._labels(group, merge_trees(result, own, _nothing), name)
            if parse_selector(str(override["select"])).matches(labels):
                self._catalog.overrides_in_use.add(override.position)
                result = merge_trees(result, self._fields(group, override, "an override"), self._report(group))
        return result

    def _labels(self, group: CatalogEntry[ChannelFields], tree: Mapping, name: str) -> dict[str, str]:
        """What an override's ``select`` sees of an entry."""
        runtime = str(tree.get("runtime", "local"))
        entry = self._catalog.runtimes.get(runtime)
        application = self._catalog.applications.get(self._application)
        nodes = [own_labels(each.model) for each in (application, entry) if each and each.model]
        own = tree.get("labels")
        nodes.append({str(key): str(value) for key, value in own.items()} if isinstance(own, Mapping) else {})
        return place_labels(nodes, self._application, name, group.name, runtime)

    def _fields(self, group: CatalogEntry[ChannelFields], written: Mapping, what: str) -> Mapping:
        """The fields of an entry or override, without those it cannot have."""
        fields = Mapping(position=written.position)
        for key, value in written.items():
            if key in NOT_PER_ENTRY or (key == "runtime" and what == "an override" and self._by_runtime(group)):
                self._add(
                    "not-per-entry",
                    place_of(key),
                    group,
                    f"`{key}` cannot stand in {what} of a group.",
                    "Write it on the group itself, or leave it out.",
                )
            elif key not in {"name", "select"} or (key == "select" and what == "an entry"):
                fields[key] = value
        return fields

    def _by_runtime(self, group: CatalogEntry[ChannelFields]) -> bool:
        return bool(group.model and group.model.each and group.model.each.runtimes)

    def _check_unused(self, group: CatalogEntry[ChannelFields]) -> None:
        """The group's own fields and each override are read even if no entry has them."""
        base = _inherited(group.tree)
        name = Mapping({"name": Scalar.of(group.name, locate(group.tree, ("name",)))}, position=group.tree.position)
        for override in group.model.overrides if group.model else ():
            fields = Mapping({**self._fields(group, override, "an override"), **name}, position=override.position)
            read_model(ChannelFields, merge_trees(base, fields, _nothing), group.label, self._problems)

    def _report(self, group: CatalogEntry[ChannelFields]) -> Any:
        def report(place: Position, kind: str, name: str) -> None:
            message = f'`remove` names "{name}", which is not among the `{kind}` of the group.'
            self._add("nothing-to-remove", place, group, message, "Remove this entry, or correct its name.")

        return report

    def _add(self, code: str, place: Position, group: CatalogEntry[ChannelFields], message: str, hint: str) -> None:
        self._problems.add(code, place, group.label, message, hint)


def _inherited(tree: Mapping) -> Mapping:
    """What the channels of a group have of it."""
    fields = {key: value for key, value in tree.items() if key not in {*OF_GROUP, "name", "kind", "apiVersion", "application"}}
    return Mapping(fields, position=tree.position)


def _name_hint(node: Any) -> str:
    try:
        read_name(node)
    except PydanticCustomError as error:
        return str((error.context or {})["hint"])
    return "Use lower-case letters, digits and hyphens."


def _nothing(place: Position, kind: str, name: str) -> None:
    """Reported elsewhere, or nowhere."""
