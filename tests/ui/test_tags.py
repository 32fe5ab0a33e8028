"""Template tags: output and escaping."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.template import Context, Template
from django.urls import NoReverseMatch
from django.utils import timezone, translation

from console.ui import format as fmt
from console.ui.icons import UnknownIcon, icon
from console.ui.links import connection_url, query_url
from console.ui.statuses import all_statuses, status
from iot_client.errors import NotFound, Throttled

MOMENT = datetime(2026, 5, 4, 22, 30, 5, tzinfo=UTC)


def render(text: str, /, **context) -> str:
    return Template(text).render(Context(context))


def test_an_icon_without_a_label_is_hidden_from_screen_readers():
    assert 'aria-hidden="true"' in icon("plus")
    assert 'role="img" aria-label="Add &amp; go"' in icon("plus", label="Add & go")


def test_an_unknown_icon_raises():
    with pytest.raises(UnknownIcon):
        icon("no-such-icon")


@pytest.mark.parametrize(
    ("language", "text"), [("en", "Online: 1,488, Offline: 73"), ("zh-hans", "Online：1,488、Offline：73")]
)
def test_the_parts_of_a_bar_are_read_out_with_the_punctuation_of_the_language(language, text):
    parts = [SimpleNamespace(label="Online", count=1488), SimpleNamespace(label="Offline", count=73)]
    with translation.override(language):
        assert render("{{ parts|counts_text }}", parts=parts) == text


@pytest.mark.parametrize("kind", all_statuses())
def test_every_status_has_a_label_and_an_existing_icon(kind):
    for value, shown in all_statuses()[kind].items():
        assert str(shown.label) in render("{% status value kind %}", value=value, kind=kind)
        assert icon(shown.icon)


def test_statuses_of_a_kind_differ_by_more_than_color():
    for kind, states in all_statuses().items():
        looks = {}
        for value, shown in states.items():
            assert looks.setdefault(str(shown.label), shown) == shown, (kind, value)


def test_an_unknown_status_is_its_own_label():
    assert status("device", "HIBERNATING").label == "HIBERNATING"
    assert "&lt;b&gt;" in render("{% status value 'device' %}", value="<b>")


def test_a_time_is_in_the_users_zone_with_utc_on_hover():
    with timezone.override("Asia/Shanghai"):
        text = render("{% time moment %}", moment=MOMENT)
    assert ">2026-05-05 06:30<" in text
    assert 'title="2026-05-04 22:30:05 UTC"' in text
    assert 'datetime="2026-05-04T22:30:05Z"' in text


@pytest.mark.parametrize("value", [MOMENT, "2026-05-04T22:30:05Z", "2026-05-05 06:30:05", 1_777_933_805_000])
def test_a_time_may_be_a_datetime_an_iso_text_or_milliseconds(value):
    assert fmt.to_datetime(value) == MOMENT


@pytest.mark.parametrize("value", [None, "", "soon", 10**30, object()])
def test_a_missing_time_is_a_dash(value):
    assert "–" in fmt.time_element(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "just now"),
        (60, "1 minute ago"),
        (200, "3 minutes ago"),
        (7200, "2 hours ago"),
        (-7200, "in 2 hours"),
        (86400 * 3, "3 days ago"),
    ],
)
def test_relative_times(seconds, text):
    assert fmt.relative_time(MOMENT, now=MOMENT + timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1536, "1.5 KB"),
        (734003200, "700 MB"),
        (5 * 1024**4, "5 TB"),
        (None, "–"),
    ],
)
def test_sizes(count, text):
    assert fmt.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7500, "2 h 5 min"), (90000, "1 d 1 h"), (None, "–")],
)
def test_durations(seconds, text):
    assert fmt.duration(seconds) == text


def test_numbers_are_grouped():
    assert (
        render("{% number n %}|{{ n|number }}|{{ none|number }}", n=1234567, none=None)
        == "1,234,567|1,234,567|–"
    )


def test_a_bar_shows_100_percent_only_when_all_is_done():
    assert "99%" in render("{% bar 9999 10000%}")
    assert "100%" in render("{% bar 10000 10000%}")


def test_a_bar_of_unknown_total_has_no_value():
    assert "value=" not in render("{% bar 5 0%}")


def test_a_copied_text_is_escaped():
    text = render("{% copy text %}", text='"><script>x</script>')
    assert "<script>" not in text


def test_a_cloud_error_shows_code_request_id_and_retry(rf):
    error = Throttled("Throttling.User", "slow down", operation="QueryDevice", request_id="E55E50B7")
    text = render("{% cloud_error error %}", error=error, request=rf.get("/acme/sandbox/devices/?page=2"))
    for part in ("Throttling.User", "QueryDevice", "E55E50B7", 'href="/acme/sandbox/devices/?page=2"'):
        assert part in text


def test_permanent_errors_and_writes_offer_no_retry(rf):
    gone = NotFound("iot.device.NotExistedDevice", "<i>gone</i>", operation="QueryDevice", request_id="1")
    assert 'class="btn' not in render("{% cloud_error error %}", error=gone, request=rf.get("/"))
    busy = Throttled("Throttling.User", "", operation="CreateProduct", request_id="1")
    assert 'class="btn' not in render("{% cloud_error error %}", error=busy, request=rf.post("/"))
    assert "<i>gone</i>" not in render("{% cloud_error error %}", error=gone, request=rf.get("/"))


def test_a_changed_filter_returns_to_page_one_and_paging_keeps_filters(rf):
    request = rf.get("/list?q=a&page=3&tag=x&tag=y")
    assert (
        render("{% query_url status='ON' %}", request=request)
        == "/list?q=a&amp;tag=x&amp;tag=y&amp;status=ON"
    )
    assert render("{% query_url page=4%}", request=request) == "/list?q=a&amp;page=4&amp;tag=x&amp;tag=y"
    assert query_url(request, drop=("tag", "page"), q=None) == "/list"


def test_a_url_in_a_connection_needs_a_team(rf):
    request = rf.get("/")
    with pytest.raises(NoReverseMatch):
        connection_url(request, "dashboard:home")
    request.membership = SimpleNamespace(team=SimpleNamespace(slug="acme"))
    request.connection = SimpleNamespace(slug="sandbox")
    assert connection_url(request, "dashboard:home").startswith("/acme/sandbox/")
