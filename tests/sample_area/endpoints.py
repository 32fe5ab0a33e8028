from __future__ import annotations

from ninja import Router

from console.api.http import ApiRequest

router = Router(tags=["Lamps"])


@router.get("/{slug:connection}/lamps", response=list[str], description="List the lamps.")
def list_lamps(request: ApiRequest, connection: str) -> list[str]:
    return []
