from __future__ import annotations

from dataclasses import replace

from console.areas.ota import jobs
from console.ui.areas import Area
from console.ui.navigation import NavigationEntry
from console.ui.statuses import RUNNING
from tests.sample_area.endpoints import router

AREA = Area(
    slug="lamps",
    label="Lamps",
    urls="tests.sample_area.urls",
    navigation=(
        NavigationEntry("lamps:list", "Lamps", "bulb"),
        NavigationEntry("lamps:plans", "Plans", "bulb"),
    ),
    statuses={"lamp": {"BURNING": RUNNING}},
    job_kinds=(replace(jobs.MONITORING, slug="lamps.watch"),),
    routers=(router,),
)
