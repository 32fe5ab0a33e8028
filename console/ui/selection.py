"""The rows that a user selected for an action on several of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, QueryDict

from console.ui.paging import POSITION


@dataclass(frozen=True)
class Selection:
    """The rows of a bulk action: the selected keys, or all that match the filters, which `query` has. `place` is the whole query of
    the list, with page and size."""

    keys: tuple[str, ...]
    all_matching: bool
    query: QueryDict
    place: QueryDict

    @classmethod
    def from_request(cls, request: HttpRequest) -> Selection:
        """Reads the list's form: `selected` for each row, `all_matching`, and the list's `query`."""
        place = QueryDict(request.POST.get("query", ""))
        query = place.copy()
        for name in POSITION:
            query.pop(name, None)
        return cls(
            keys=tuple(dict.fromkeys(request.POST.getlist("selected"))),
            all_matching=request.POST.get("all_matching") == "1",
            query=query,
            place=place,
        )

    def __bool__(self) -> bool:
        return self.all_matching or bool(self.keys)
