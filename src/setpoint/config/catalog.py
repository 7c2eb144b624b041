"""Every document by kind and name. What is broken keeps its name here, so that nothing that refers to it is blamed for it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from setpoint.config.documents import (
    KINDS,
    ApplicationDocument,
    CalendarDocument,
    ChannelDocument,
    ChannelFields,
    InvariantDocument,
    Labelled,
    OrganizationDocument,
    PolicyDocument,
    ProtectionDocument,
    RuntimeDocument,
    ServiceDocument,
    TaskDocument,
)
from setpoint.config.documents.validate import Path, locate, places_in, read_model, where
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.values import NAME
from setpoint.config.syntax.yaml import Mapping, Node, Scalar, place_of, read_documents
from setpoint.model.similar import suggest

M = TypeVar("M", bound=Labelled)
API_VERSION = "setpoint/v1"


@dataclass(frozen=True)
class CatalogEntry(Generic[M]):
    """One document (or channel in place): its tree, what could be read of it, and how messages call it."""

    name: str
    tree: Mapping
    model: M | None
    sound: bool
    label: str

    @property
    def file(self) -> str:
        """Path of the file it stands in."""
        return self.tree.position.file


@dataclass(frozen=True)
class Group:
    """A channel with ``each``: the group as it was written, and the channels that came of it, in their order."""

    entry: CatalogEntry[ChannelFields]
    members: tuple[str, ...] = ()


@dataclass
class ApplicationEntries:
    """What belongs to one application."""

    channels: dict[str, CatalogEntry[ChannelFields]] = field(default_factory=dict)
    """Those of groups among them; groups themselves are not."""
    groups: dict[str, Group] = field(default_factory=dict)
    group_of: dict[str, str] = field(default_factory=dict)
    """Channel -> its group."""
    services: dict[str, CatalogEntry[ServiceDocument]] = field(default_factory=dict)


@dataclass
class Catalog:
    """All documents. ``complete`` is False where a file could not be read, so that names may be missing."""

    organization: CatalogEntry[OrganizationDocument] | None = None
    applications: dict[str, CatalogEntry[ApplicationDocument]] = field(default_factory=dict)
    runtimes: dict[str, CatalogEntry[RuntimeDocument]] = field(default_factory=dict)
    protections: dict[str, CatalogEntry[ProtectionDocument]] = field(default_factory=dict)
    tasks: dict[str, CatalogEntry[TaskDocument]] = field(default_factory=dict)
    calendars: dict[str, CatalogEntry[CalendarDocument]] = field(default_factory=dict)
    policies: dict[str, CatalogEntry[PolicyDocument]] = field(default_factory=dict)
    invariants: dict[str, CatalogEntry[InvariantDocument]] = field(default_factory=dict)
    below: dict[str, ApplicationEntries] = field(default_factory=dict)
    complete: bool = True
    documents: int = 0
    overrides_in_use: set[Position] = field(default_factory=set)
    """Where overrides of groups stand that some entry matches."""
    _index: dict[Position, tuple[CatalogEntry[Any], Path]] = field(default_factory=dict)
    _indexed: int = -1

    def channels(self, application: str) -> dict[str, CatalogEntry[ChannelFields]]:
        """By name, in the order written: those in place first."""
        return self.below[application].channels if application in self.below else {}

    def groups(self, application: str) -> dict[str, Group]:
        """By name."""
        return self.below[application].groups if application in self.below else {}

    def group_of(self, application: str, channel: str) -> str:
        """Name of the channel's group; empty: none."""
        return self.below[application].group_of.get(channel, "") if application in self.below else ""

    def places(self, application: str) -> list[str]:
        """Names of channels and groups: what stands for one or many channels."""
        return [*self.channels(application), *self.groups(application)]

    def services(self, application: str) -> dict[str, CatalogEntry[ServiceDocument]]:
        """By name."""
        return self.below[application].services if application in self.below else {}

    def application_of(self, entry: CatalogEntry[Any]) -> str:
        """The application that a document, or a channel in place, belongs to; an application's own name."""
        if "application" in entry.tree:
            return str(entry.tree["application"])
        for name, below in self.below.items():
            group = below.groups.get(entry.name)
            if below.channels.get(entry.name) is entry or (group and group.entry is entry):
                return name
        return entry.name

    def policies_of(self, labels: AnyMapping[str, str]) -> list[PolicyDocument]:
        """Those that select an instance with these labels, by name."""
        models = (entry.model for _, entry in sorted(self.policies.items()) if entry.model)
        return [policy for policy in models if policy.select.matches(labels)]

    def entries(self) -> Iterator[CatalogEntry[Any]]:
        """Every document and channel."""
        if self.organization:
            yield self.organization
        rules = (self.protections, self.tasks, self.calendars, self.policies, self.invariants)
        for group in (self.applications, self.runtimes, *rules):
            yield from group.values()
        for below in self.below.values():
            yield from (group.entry for group in below.groups.values())
            yield from below.channels.values()
            yield from below.services.values()

    def where_at(self, place: Position) -> str:
        """The thing that stands at a place, as messages call it; channels in place before their applications."""
        entries = list(self.entries())
        if len(entries) != self._indexed:
            self._indexed, self._index = len(entries), self._places(entries)
        found = self._index.get(place)
        return where(found[0].tree, found[1], found[0].label) if found else ""

    def _places(self, entries: list[CatalogEntry[Any]]) -> dict[Position, tuple[CatalogEntry[Any], Path]]:
        """Every place of every document, and how to get there: read once, since many are looked up (and entries are many)."""
        members = {id(below.channels[name]) for below in self.below.values() for name in below.group_of}
        found: dict[Position, tuple[CatalogEntry[Any], Path]] = {}
        for entry in sorted(entries, key=lambda entry: not entry.label.startswith("channels[")):
            for place, path in places_in(entry.tree):
                if entry.file == place.file or id(entry) in members:
                    found.setdefault(place, (entry, path))
        return found


def read_catalog(files: dict[str, bytes], problems: Problems) -> Catalog:
    """Reads every document of every file (relative path -> content)."""
    catalog = Catalog()
    for file in sorted(files):
        trees, whole = read_documents(file, files[file], problems)
        catalog.complete = catalog.complete and whole
        for tree in trees:
            _add_document(catalog, tree, problems)
    return catalog


def _add_document(catalog: Catalog, tree: Node, problems: Problems) -> None:
    if isinstance(tree, Scalar) and tree.null:
        return
    if not isinstance(tree, Mapping):
        catalog.complete = False
        problems.add(
            "not-a-document",
            tree.position,
            "",
            "a document is a map with `kind` and `name`.",
            "Write `kind: …` and `name: …` first.",
        )
        return
    if all(key.startswith("x-") for key in tree):
        return
    catalog.documents += 1
    model = _kind(tree, problems)
    if model is None:
        catalog.complete = False
        return
    name = tree.get("name")
    known = isinstance(name, Scalar) and NAME.fullmatch(name)
    label = f'{tree["kind"]} "{name}"' if known else str(tree["kind"])
    document, sound = read_model(model, tree, label, problems)
    if not known:
        catalog.complete = False
        return
    _file_away(catalog, CatalogEntry(str(name), tree, document, sound, label), model, problems)


def _kind(tree: Mapping, problems: Problems) -> type[Labelled] | None:
    version = tree.get("apiVersion")
    if isinstance(version, Scalar) and version.startswith("setpoint/") and version != API_VERSION:
        problems.add(
            "unknown-version",
            version.position,
            "",
            f'this version knows no "{version}".',
            f"Write {API_VERSION}, or leave `apiVersion` out.",
        )
        return None
    if isinstance(version, Scalar) and version != API_VERSION:
        message = f'this is a Kubernetes object: its apiVersion is "{version}", not "{API_VERSION}".'
        problems.add(
            "foreign-document",
            version.position,
            "",
            message,
            "Name its file under `kubernetes.manifests`, and not *.setpoint.yaml.",
        )
        return None
    kind = tree.get("kind")
    if not isinstance(kind, Scalar):
        place = place_of(kind) if kind is not None else tree.position
        problems.add("missing-kind", place, "", "the document has no `kind`.", f"Add `kind:` with one of {', '.join(KINDS)}.")
    elif kind not in KINDS:
        problems.add("unknown-kind", kind.position, "", f'"{kind}" is not a valid kind.', suggest(kind, KINDS))
    else:
        return KINDS[kind]
    return None


def _file_away(catalog: Catalog, entry: CatalogEntry[Any], model: type[Labelled], problems: Problems) -> None:
    if model is OrganizationDocument:
        if catalog.organization:
            first = catalog.organization.tree.position
            problems.add(
                "second-organization",
                entry.tree.position,
                entry.label,
                f"there is one organization already, at {first.file}:{first.line}.",
                "Merge the two documents.",
            )
        catalog.organization = catalog.organization or entry
    elif model is ApplicationDocument:
        _put(catalog.applications, entry, "applications", problems)
        below = catalog.below.setdefault(entry.name, ApplicationEntries())
        for channel in _channels_in_place(entry):
            _put(below.channels, channel, f'channels of application "{entry.name}"', problems)
    elif model in {ChannelDocument, ServiceDocument}:
        application = entry.tree.get("application")
        if isinstance(application, Scalar):
            below = catalog.below.setdefault(str(application), ApplicationEntries())
            group: dict[str, CatalogEntry[Any]] = below.channels if model is ChannelDocument else below.services
            _put(group, entry, f'{model.title().lower()}s of application "{application}"', problems)
    else:
        groups: dict[type[Labelled], dict[str, CatalogEntry[Any]]] = {
            RuntimeDocument: catalog.runtimes,
            ProtectionDocument: catalog.protections,
            TaskDocument: catalog.tasks,
            CalendarDocument: catalog.calendars,
            PolicyDocument: catalog.policies,
            InvariantDocument: catalog.invariants,
        }
        plural = "policies" if model is PolicyDocument else f"{model.title().lower()}s"
        _put(groups[model], entry, plural, problems)


def _put(group: dict[str, CatalogEntry[Any]], entry: CatalogEntry[Any], of_what: str, problems: Problems) -> None:
    if entry.name not in group:
        group[entry.name] = entry
        return
    first = group[entry.name].tree.position
    message = f'"{entry.name}" names two {of_what}, first at {first.file}:{first.line}.'
    problems.add("duplicate-name", locate(entry.tree, ("name",)), entry.label, message, "Rename one of the two, or merge them.")


def _channels_in_place(application: CatalogEntry[ApplicationDocument]) -> Iterator[CatalogEntry[ChannelFields]]:
    trees = application.tree.get("channels")
    models = {channel.name: channel for channel in reversed(application.model.channels)} if application.model else {}
    items = trees if isinstance(trees, list) else [trees]
    for number, tree in enumerate(items):
        name = tree.get("name") if isinstance(tree, Mapping) else None
        if isinstance(name, Scalar) and NAME.fullmatch(name):
            yield CatalogEntry(str(name), tree, models.get(name), application.sound, f'channels[{number}] "{name}"')
