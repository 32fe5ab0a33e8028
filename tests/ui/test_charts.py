"""Charts over time, in a browser: the chart of the style guide with other data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from console.ui.charts import Curve, build_chart_data
from tests.browser import NARROW, WIDE, RecordedPages

pytestmark = pytest.mark.browser
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ShowChart = Callable[..., Page]


def build_data(
    offsets: Sequence[int], online: Sequence[int | None], gap: int = 900, days: int = 0
) -> dict[str, Any]:
    """The data of measurements so many seconds after noon, of 10 devices. `days`: the period, which ends with the last one."""
    offline = [None if n is None else 10 - n for n in online]
    times = [NOON + timedelta(seconds=offset) for offset in offsets]
    curves = [Curve("Online", "--fd-good", online), Curve("Offline", "--fd-off", offline)]
    period = (times[-1] - timedelta(days=days), times[-1]) if days else None
    return build_chart_data(times, curves, gap=timedelta(seconds=gap), period=period)


@pytest.fixture
def show_chart(browser: Browser, live_server: Any, guide: Any) -> Iterator[ShowChart]:
    """Opens a page with a chart of the data, in a time zone."""
    pages = RecordedPages(browser, live_server.url, expected="status of 503")

    def show(data: dict[str, Any], zone: str = "UTC", size: tuple[int, int] = WIDE) -> Page:
        def change_zone(route: Route) -> None:
            html = route.fetch().text().replace('data-time-zone="UTC"', f'data-time-zone="{zone}"')
            route.fulfill(body=html, content_type="text/html; charset=utf-8")

        page = pages("/accounts/login/", size)
        page.route("**/_style/", change_zone)
        serve(page, data)
        page.goto(f"{live_server.url}/_style/")
        expect(page.locator("[data-chart-legend] li")).to_have_count(3)
        return page

    yield show
    pages.close()
    assert pages.errors == []


def serve(page: Page, data: dict[str, Any]) -> None:
    page.unroute("**/chart.json*")
    page.route(
        "**/chart.json*", lambda route: route.fulfill(body=json.dumps(data), content_type="application/json")
    )


def refresh(page: Page, data: dict[str, Any]) -> None:
    """Let the chart load these data, without moving the pointer."""
    serve(page, data)
    with page.expect_response("**/chart.json*"):
        page.evaluate("document.querySelector('button[data-days=\"7\"]').click()")
    page.wait_for_timeout(100)


def read_legend(page: Page) -> str:
    return " ".join(page.locator("[data-chart-legend]").inner_text().split())


def hover(page: Page, share: float) -> None:
    """Move the pointer over the plot, at a share of its width."""
    plot = page.locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)


def test_a_chart_starts_with_the_second_measurement(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0], [4]))
    expect(page.get_by_text("Measured once, at 2026-03-01 12:00.")).to_be_visible()
    assert page.locator("[data-chart] canvas").count() == 0
    refresh(page, build_data([0, 60], [4, 7]))
    expect(page.locator("[data-chart] canvas")).to_have_count(1)
    assert read_legend(page) == "Online 7 Offline 3 Latest: 2026-03-01 12:01"


def test_a_chart_without_measurements_is_as_high_as_the_line_that_says_so(show_chart: ShowChart) -> None:
    page = show_chart(build_data([], []))
    expect(page.get_by_text("No data yet")).to_be_visible()
    assert page.locator("[data-chart] canvas").count() == 0
    expect(page.locator("[data-chart-legend]")).to_be_hidden()
    box = page.locator("[data-chart-plot]").bounding_box()
    assert box is not None
    assert box["height"] < 60
    refresh(page, build_data([0, 600], [4, 7]))
    expect(page.locator("[data-chart] canvas")).to_have_count(1)
    expect(page.locator("[data-chart-legend]")).to_be_visible()


@pytest.mark.parametrize("days", [1, 7, 31])
def test_the_time_axis_is_the_whole_period_with_lines_at_round_times(
    show_chart: ShowChart, days: int
) -> None:
    page = show_chart(build_data([0, 600], [4, 7], days=days))
    low, high = page.evaluate(
        "(({min, max}) => [min, max])(document.querySelector('[data-chart]').fdPlot.scales.x)"
    )
    assert high - low == days * 86_400
    ticks, shows_grid = page.evaluate(
        "(({_splits, grid}) => [_splits, grid.show])(document.querySelector('[data-chart]').fdPlot.axes[0])"
    )
    assert shows_grid
    assert len(ticks) > 3
    assert all(tick % (3600 if days == 1 else 43_200) == 0 for tick in ticks)


def test_a_chart_says_since_when_there_are_data_if_they_begin_later_than_the_period(
    show_chart: ShowChart,
) -> None:
    page = show_chart(build_data([0, 600], [4, 7], days=1))
    expect(page.get_by_text("Data since 2026-03-01 12:00")).to_be_visible()
    refresh(page, build_data([0, 80_000], [4, 7], gap=90_000, days=1))
    expect(page.get_by_text("Data since 2026-03-01 12:00")).to_be_visible()
    refresh(page, build_data([0, 86_400], [4, 7], gap=90_000, days=1))
    expect(page.get_by_text("Data since")).to_have_count(0)


@pytest.mark.parametrize("seconds", [20, 600, 5000, 80_000, 20 * 86_400])
def test_the_time_axis_shows_ten_minutes_or_more_and_repeats_no_label(
    show_chart: ShowChart, seconds: int
) -> None:
    page = show_chart(build_data([0, seconds // 2, seconds], [4, 7, 9], gap=seconds))
    scale = page.evaluate(
        "(({min, max}) => max - min)(document.querySelector('[data-chart]').fdPlot.scales.x)"
    )
    assert scale == max(600, seconds)
    for axis in (0, 1):
        labels = page.evaluate(f"document.querySelector('[data-chart]').fdPlot.axes[{axis}]._values")
        assert len(labels) > 1
        assert len(set(labels)) == len(labels)


def test_the_axis_has_seconds_if_its_labels_are_less_than_a_minute_apart(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 5, 10], [4, 7, 9]))
    page.evaluate("document.querySelector('[data-chart]').style.width = '3000px'")
    page.wait_for_timeout(200)
    labels = page.evaluate("document.querySelector('[data-chart]').fdPlot.axes[0]._values")
    assert labels[:3] == ["12:00:00", "12:00:15", "12:00:30"]


def test_times_are_in_the_time_zone_of_the_user(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 43200, 86400], [4, 7, 9], gap=50000), zone="Asia/Shanghai")
    assert read_legend(page).endswith("2026-03-02 20:00")
    labels = page.evaluate("document.querySelector('[data-chart]').fdPlot.axes[0]._values")
    assert "03-02" in labels, "midnight in Shanghai"


def test_the_legend_shows_the_latest_values_and_those_below_the_pointer(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 300, 600], [4, 7, 9]))
    assert read_legend(page) == "Online 9 Offline 1 Latest: 2026-03-01 12:10"
    hover(page, 0.02)
    assert read_legend(page) == "Online 4 Offline 6 2026-03-01 12:00"
    page.mouse.move(0, 0)
    assert read_legend(page) == "Online 9 Offline 1 Latest: 2026-03-01 12:10"


def test_a_refresh_changes_the_chart_in_place(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 300, 600], [4, 7, 9]))
    page.evaluate("window.before = document.querySelector('[data-chart] canvas')")
    hover(page, 0.5)
    assert read_legend(page) == "Online 7 Offline 3 2026-03-01 12:05"
    refresh(page, build_data([0, 290, 600, 605], [4, 6, 9, 2]))
    assert page.evaluate("window.before === document.querySelector('[data-chart] canvas')")
    assert read_legend(page) == "Online 6 Offline 4 2026-03-01 12:04:50"
    page.mouse.move(0, 0)
    assert read_legend(page) == "Online 2 Offline 8 Latest: 2026-03-01 12:10:05"


def test_a_page_with_new_numbers_lets_its_charts_load_again(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 300, 600], [4, 7, 9]))
    serve(page, build_data([0, 300, 600, 900], [4, 7, 9, 2]))
    with page.expect_response("**/chart.json*"):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('fd:charts', {bubbles: true}))")
    expect(page.locator("[data-chart-legend]")).to_contain_text("2026-03-01 12:15")
    assert read_legend(page) == "Online 2 Offline 8 Latest: 2026-03-01 12:15"


def test_a_refresh_that_fails_keeps_the_chart(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 300, 600], [4, 7, 9]))
    page.unroute("**/chart.json*")
    page.route("**/chart.json*", lambda route: route.fulfill(status=503))
    page.evaluate("document.querySelector('button[data-days=\"7\"]').click()")
    page.wait_for_timeout(200)
    assert page.locator("[data-chart] canvas").count() == 1
    assert read_legend(page).startswith("Online 9")


def test_a_gap_is_not_bridged_and_areas_are_on_top_of_each_other(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 300, 3000, 3300], [4, 7, 9, 1]))
    drawn = page.evaluate("document.querySelector('[data-chart]').fdPlot.data.slice(1)")
    assert drawn == [[4, 7, None, 9, 1], [10, 10, None, 10, 10]]
    assert page.evaluate("document.querySelector('[data-chart]').fdPlot.series[1]._paths.gaps.length") == 1


def test_the_lines_of_the_axes_are_visible_on_areas(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 300, 600], [10, 10, 10]))
    colors = page.evaluate(
        """() => {
            const chart = document.querySelector("[data-chart]").fdPlot;
            const x = Math.round(chart.bbox.left + chart.bbox.width * 0.55);
            const column = chart.ctx.getImageData(x, chart.bbox.top, 1, chart.bbox.height).data;
            const middle = Math.round(chart.valToPos(4, "y", true) - chart.bbox.top);
            const read = row => [...column.slice(row * 4, row * 4 + 3)].join();
            return [[-1, 0, 1].map(step => read(middle + step)), read(middle + 12)];
        }"""
    )
    on_line, beside = colors
    assert set(on_line) - {beside}, colors


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_nothing_moves_when_the_values_arrive(show_chart: ShowChart, size: tuple[int, int]) -> None:
    page = show_chart(build_data([0, 300, 600], [4, 7, 9]), size=size)
    loaded = page.locator("[data-chart]").bounding_box()
    waiting: list[Route] = []
    page.unroute("**/chart.json*")
    page.route("**/chart.json*", lambda route: waiting.append(route))
    page.reload(wait_until="domcontentloaded")
    page.wait_for_timeout(300)
    assert waiting
    assert page.locator("[data-chart] canvas").count() == 0
    assert page.locator("[data-chart]").bounding_box() == loaded
    waiting[0].fulfill(body="{}", status=503)


def test_the_values_can_be_read_in_a_table_with_the_keyboard(show_chart: ShowChart) -> None:
    page = show_chart(build_data([0, 300, 600], [4, None, 9]))
    page.locator("[data-chart-table] summary").focus()
    page.keyboard.press("Enter")
    rows = page.locator("[data-chart-table] tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [
        ["Time", "Online", "Offline"],
        ["2026-03-01 12:10", "9", "1"],
        ["2026-03-01 12:05", "–", "–"],
        ["2026-03-01 12:00", "4", "6"],
    ]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    refresh(page, build_data([0, 300, 600, 900], [4, 5, 9, 8]))
    assert page.locator("[data-chart-table] tbody tr").first.inner_text() == "2026-03-01 12:15\t8\t2"
