# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is learned from recordings, the shapes that browsers write them in, and that no file can do harm."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http import profile as http_profile
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.learn.entries import HarError
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.learn.har import Learned, learn
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.learn.typed import Typed
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.secrets import holds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import fake_http_console as fake
from .fake_http_console import DIALECTS, State

Har = dict[str, Any]
TYPED = Typed(fake.USER, fake.PASSWORD, fake.HOST, fake.PORT, fake.PROXY_USER, fake.PROXY_PASSWORD)


def typed(dialect: str) -> Typed:
    certificate = fake.CERTIFICATE if dialect in ("nested", "multipart") else ""
    return Typed(fake.USER, fake.PASSWORD, fake.HOST, fake.PORT, fake.PROXY_USER, fake.PROXY_PASSWORD, certificate)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Har]:
    """A recording of each console."""
    pem = fake.make_pem(tmp_path_factory.mktemp("tls"))
    return {dialect: fake.record(State(dialect, fake.own(10)), pem) for dialect in DIALECTS}


@pytest.fixture
def har(recordings: dict[str, Har]) -> Callable[[str], Har]:
    """Give a copy of a recording."""
    return lambda dialect: copy.deepcopy(recordings[dialect])


def entry(method: str, path: str, sent: Any = None, answer: Any = None, status: int = 200) -> Har:
    """One entry with JSON bodies."""
    request: Har = {"method": method, "url": f"https://192.0.2.10{path}", "headers": []}
    if sent is not None:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(sent)}
    content = {"mimeType": "application/json", "text": json.dumps(answer)} if answer is not None else {}
    return {"request": request, "response": {"status": status, "headers": [], "content": content}}


SHOWN = {"enabled": True, "proxyHost": fake.HOST, "proxyPort": fake.PORT, "proxyUser": fake.PROXY_USER}
SAVED = SHOWN | {"proxyPassword": fake.PROXY_PASSWORD}


def small(saved: Any = None, shown: Any = None, before: Any = None, more: tuple[Har, ...] = ()) -> Har:
    """A recording of a console that needs no token."""
    entries = [entry("POST", "/in", {"u": fake.USER, "p": fake.PASSWORD}, {})]
    if before is not None:
        entries.append(entry("GET", "/net", None, before))
    entries += [
        entry("PUT", "/net", SAVED | (saved or {}), {}),
        entry("GET", "/net", None, SHOWN | (shown or {})),
        *more,
    ]
    return {"log": {"entries": entries}}


def body(learned: Learned) -> Any:
    return learned.profile["save"]["requests"][-1]["body"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_of_the_recorded_sensor_is_in_the_profile(har: Callable[[str], Har], dialect: str) -> None:
    learned = learn(har(dialect), typed(dialect))
    text = json.dumps(learned.profile)
    own = fake.own(10)
    for value in (own["ip"], own["mask"], own["hostname"], *own["dns"], fake.PASSWORD, fake.PROXY_PASSWORD, fake.HOST):
        assert not holds(text, str(value)), value
    assert not re.search("[0-9a-f]{24}", text)
    assert "constants" not in learned.profile


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_learned_is_a_whole_profile(har: Callable[[str], Har], dialect: str) -> None:
    profile = learn(har(dialect), typed(dialect)).profile
    assert http_profile.dump(http_profile.load(json.loads(json.dumps(profile)))) == profile


def base64_answers(har: Har) -> Har:
    return fake.as_base64(har)


def firefox(har: Har) -> Har:
    """Cookies in arrays only, and the head of a multipart body before its first boundary."""
    for item in har["log"]["entries"]:
        request, response = item["request"], item["response"]
        for side, header in ((request, "Cookie"), (response, "Set-Cookie")):
            side["cookies"] = [
                {"name": part.strip().partition("=")[0], "value": part.partition("=")[2]}
                for pair in side["headers"]
                if pair["name"] == header
                for part in (pair["value"].split(";") if header == "Cookie" else [pair["value"].partition(";")[0]])
            ]
            side["headers"] = [pair for pair in side["headers"] if pair["name"] != header]
        data = request.get("postData")
        if data and data["mimeType"].startswith("multipart"):
            data["text"] = f"Content-Type: {data['mimeType']}\r\nContent-Length: 1\r\n\r\n{data['text']}"
    return har


def params(encoded: bool) -> Callable[[Har], Har]:
    def shape(har: Har) -> Har:
        """Forms as params, without text; Chromium leaves them encoded, Playwright does not."""
        for item in har["log"]["entries"]:
            data = item["request"].get("postData")
            if not data or "json" in data["mimeType"]:
                continue
            if "urlencoded" in data["mimeType"]:
                pairs = parse_qsl(data.pop("text"), keep_blank_values=True)
                encode = quote_plus if encoded else str
                data["params"] = [{"name": name, "value": encode(value)} for name, value in pairs]
            else:
                found = re.findall(
                    r'name="([^"]*)"(?:; filename="([^"]*)")?.*?\r\n\r\n(.*?)\r\n--', data.pop("text"), re.S
                )
                data["params"] = [
                    {"name": name, "fileName": file, "contentType": "application/octet-stream"}
                    if file
                    else {"name": name, "value": value}
                    for name, file, value in found
                ]
        return har

    return shape


def line_feeds(har: Har) -> Har:
    for item in har["log"]["entries"]:
        if "multipart" in item["request"].get("postData", {}).get("mimeType", ""):
            item["request"]["postData"]["text"] = item["request"]["postData"]["text"].replace("\r\n", "\n")
    return har


def http2(har: Har) -> Har:
    for item in har["log"]["entries"]:
        item["request"]["headers"].insert(0, {"name": ":authority", "value": "192.0.2.10"})
        for pair in (*item["request"]["headers"], *item["response"]["headers"]):
            pair["name"] = pair["name"].lower()
    return har


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("shape", [base64_answers, firefox, params(True), params(False), line_feeds, http2])
def test_every_browsers_way_to_write_it_teaches_the_same(
    har: Callable[[str], Har], dialect: str, shape: Callable[[Har], Har]
) -> None:
    plain = json.dumps(learn(har(dialect), typed(dialect)).profile).lower()
    assert json.dumps(learn(shape(har(dialect)), typed(dialect)).profile).lower() == plain


def test_other_hosts_and_static_files_are_passed_over(har: Callable[[str], Har]) -> None:
    recording = har("nested")
    plain = learn(har("nested"), typed("nested")).profile
    stray = copy.deepcopy([item for item in recording["log"]["entries"] if "/v9/settings" in item["request"]["url"]])
    for item in stray:
        item["request"]["url"] = item["request"]["url"].replace("192.0.2.10", "telemetry.example")
    recording["log"]["entries"] = [*stray[:1], *recording["log"]["entries"]]
    assert learn(recording, typed("nested")).profile == plain


def test_the_latest_save_counts() -> None:
    recording = small()
    old = entry("POST", "/old", SAVED, {})
    recording["log"]["entries"].insert(1, old)
    assert learn(recording, TYPED).profile["save"]["requests"][0]["path"] == "/net"


def test_a_field_of_the_sensor_becomes_what_each_sensor_shows() -> None:
    own = {
        "ip": "192.0.2.10",
        "servers": ["198.51.100.1"],
        "deep": {"a": 1, "b": {"name": "plant-7"}},
        "mtu": 1500,
        "on": False,
    }
    learned = learn(small(own, own), TYPED)
    found = body(learned)
    assert found["ip"] == "${current:/ip}"
    assert found["servers"] == "${current:/servers}"
    assert found["deep"] == "${current:/deep}"
    assert found["mtu"] == "${current:/mtu}"
    assert found["on"] == "${current:/on}"
    assert "constants" not in learned.profile


def test_a_field_of_another_name_is_found_by_its_value() -> None:
    learned = learn(small({"a": "plant-7.example"}, {"b": {"c": "plant-7.example"}}), TYPED)
    assert body(learned)["a"] == "${current:/b/c}"


def test_a_value_in_two_places_is_not_guessed() -> None:
    learned = learn(small({"a": "plant-7.example"}, {"b": "plant-7.example", "c": "plant-7.example"}), TYPED)
    assert learned.profile["constants"] == {"save/a": {"value": "plant-7.example", "confirmed": False}}
    assert "/b, /c" in str(learned.notes)


def test_a_field_that_was_changed_beside_keeps_each_sensors_own_value() -> None:
    learned = learn(small({"mtu": 9000}, {"mtu": 1500}), TYPED)
    assert body(learned)["mtu"] == "${current:/mtu}"
    assert "/mtu" in str(learned.notes)


@pytest.mark.parametrize(
    "value", ["198.51.100.7", "sensor-7", "plant.example", "00:11:22:33:44:55", "4711x", 471100, "a" * 40]
)
def test_what_may_be_one_sensors_own_must_be_confirmed(value: Any) -> None:
    learned = learn(small({"x": value}), TYPED)
    assert learned.profile["constants"]["save/x"] == {"value": value, "confirmed": False}
    assert body(learned)["x"] == "${constant:save/x}"
    assert http_profile.load(learned.profile).unconfirmed == ["save/x"]


@pytest.mark.parametrize("name", ["hostname", "dns", "sensorId", "id", "gateway"])
def test_a_name_that_tells_of_the_sensor_must_be_confirmed_whatever_its_value(name: str) -> None:
    assert "constants" in learn(small({name: "word"}), TYPED).profile


@pytest.mark.parametrize("value", ["static", "save_all", True, None, 3, ""])
def test_plain_constants_are_kept_and_noted(value: Any) -> None:
    learned = learn(small({"mode": value}), TYPED)
    assert body(learned)["mode"] == value
    assert "constants" not in learned.profile
    assert ("/mode" in str(learned.notes)) is (value not in (None, ""))


def test_the_sensors_own_address_in_an_unexplained_place_is_an_error() -> None:
    with pytest.raises(HarError, match="own address"):
        learn(small({"x": "192.0.2.10"}), TYPED)


def test_a_literal_that_looks_like_a_placeholder_is_none() -> None:
    learned = learn(small({"mode": "${host}"}), TYPED)
    assert learned.profile["constants"]["save/mode"]["value"] == "${host}"


def test_the_host_in_a_second_field_is_told_by_what_changed() -> None:
    before = SHOWN | {"enabled": False, "proxyHost": "", "dnsServer": fake.HOST}
    learned = learn(small({"dnsServer": fake.HOST}, {"dnsServer": fake.HOST}, before), TYPED)
    assert (body(learned)["proxyHost"], body(learned)["dnsServer"]) == ("${host}", "${current:/dnsServer}")
    assert learned.profile["read"]["fields"]["host"] == "/proxyHost"


def test_two_fields_that_cannot_be_told_apart_are_an_error() -> None:
    with pytest.raises(HarError, match="several fields"):
        learn(small({"proxyServer": fake.HOST}, {"proxyServer": fake.HOST}), TYPED)


def test_a_password_in_two_fields_is_in_both() -> None:
    found = body(learn(small({"confirmPassword": fake.PROXY_PASSWORD}), TYPED))
    assert found["proxyPassword"] == found["confirmPassword"] == "${password}"


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        (True, "${enabled|boolean}"),
        (1, "${enabled|integer}"),
        ("true", "${enabled|choice=true/false}"),
        ("on", "${enabled|choice=on/off}"),
        ("1", "${enabled|choice=1/0}"),
        ("enabled", "${enabled|choice=enabled/disabled}"),
    ],
)
def test_the_switch_keeps_its_type(sent: Any, written: str) -> None:
    assert body(learn(small({"enabled": sent}, {"enabled": sent}), TYPED))["enabled"] == written


def test_a_mask_shows_a_stored_password() -> None:
    learned = learn(small(shown={"proxyPassword": "********"}), TYPED)
    assert learned.profile["read"]["fields"]["password_set"] == "/proxyPassword"
    assert learned.profile["save"]["password_unchanged"] == "omit"
    assert "mask" in str(learned.notes)


def test_a_save_without_the_password_shows_how_it_stays() -> None:
    recording = small()
    recording["log"]["entries"].insert(1, entry("PUT", "/net", SAVED | {"proxyPassword": "", "proxyHost": "x"}, {}))
    assert learn(recording, TYPED).profile["save"]["password_unchanged"] == "empty"


def test_a_certificate_in_json_is_learned() -> None:
    more = {"cert": {"name": "c.pem", "data": "data:application/x-pem;base64," + "QUJD" * 20}}
    learned = learn(small(more, {"cert": {"name": "c.pem"}}), Typed(**(TYPED.__dict__ | {"certificate": "c.pem"})))
    assert body(learned)["cert"] == {
        "name": "${certificate_name}",
        "data": "data:application/x-pem;base64,${certificate|base64}",
    }
    assert learned.profile["read"]["fields"]["certificate"] == "/cert/name"


def test_a_bearer_token_is_a_token() -> None:
    recording = small()
    for item in recording["log"]["entries"]:
        item["request"]["headers"].append({"name": "Authorization", "value": "Bearer abc.DEF-123456"})
    recording["log"]["entries"][0]["request"]["headers"].clear()
    recording["log"]["entries"][0]["response"]["content"]["text"] = '{"access": "abc.DEF-123456"}'
    profile = learn(recording, TYPED).profile
    assert profile["tokens"] == {"csrf": [{"json": "/access", "path": "/in"}]}
    assert profile["read"]["request"]["headers"]["Authorization"] == "Bearer ${csrf}"


def test_identifiers_in_a_path_must_be_confirmed_and_times_are_dropped() -> None:
    recording = small()
    for item in recording["log"]["entries"][1:]:
        item["request"]["url"] = "https://192.0.2.10/s/0a1b2c3d-0000/net?_=1700000000000&part=net"
    profile = learn(recording, TYPED).profile
    assert profile["read"]["request"]["path"] == "/s/${constant:request/path}/net?part=net"
    assert profile["constants"]["request/path"] == {"value": "0a1b2c3d-0000", "confirmed": False}


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ([], "no HAR file"),
        ({"log": {}}, "no HAR file"),
        ({"log": {"entries": []}}, "no request carries the proxy's host"),
        ({"log": {"entries": [entry("GET", "/", None, {})]}}, "no request carries the proxy's host"),
        ({"log": {"entries": [entry("POST", "/in")]}}, "no bodies"),
        ({"log": {"entries": [entry("PUT", "/net", SAVED, {})]}}, "user name and password"),
        ({"log": {"entries": small()["log"]["entries"][:2]}}, "no answer shows"),
        ({"log": {"entries": [entry("PUT", "/net", SAVED, {}, 400)]}}, "HTTP 400"),
        (small({"proxyPort": 1}), "no port"),
        (small({"proxyUser": "x"}), "no username"),
        (small({"proxyPassword": "x"}), "proxy's password"),
        (small({"enabled": False}), "switch"),
    ],
)
def test_what_is_missing_is_said(broken: Any, sentence: str) -> None:
    with pytest.raises(HarError, match=sentence):
        learn(broken, TYPED)


def test_a_failed_sign_in_and_a_missing_upload_are_said() -> None:
    recording = small()
    recording["log"]["entries"][0]["response"]["status"] = 401
    with pytest.raises(HarError, match="sign-in failed"):
        learn(recording, TYPED)
    with pytest.raises(HarError, match="uploads a file named"):
        learn(small(), Typed(**(TYPED.__dict__ | {"certificate": "c.pem"})))


@pytest.mark.parametrize("dialect", ["nested", "multipart"])
def test_a_body_that_chromium_left_out_is_said(har: Callable[[str], Har], dialect: str) -> None:
    recording = har(dialect)
    for item in recording["log"]["entries"]:
        request = item["request"]
        if "multipart" in request.get("postData", {}).get("mimeType", ""):
            del request["postData"]
            request["headers"].append({"name": "Content-Length", "value": "760"})
    with pytest.raises(HarError, match="record with Firefox"):
        learn(recording, typed(dialect))


def test_a_token_without_a_source_is_said(har: Callable[[str], Har]) -> None:
    recording = har("flat")
    for item in recording["log"]["entries"]:
        for side in (item["request"], item["response"]):
            side["headers"] = [pair for pair in side["headers"] if pair["name"] not in ("Cookie", "Set-Cookie")]
        for pair in item["request"]["headers"]:
            pair["name"] = pair["name"].replace("X-Tok", "X-CSRFToken")
    with pytest.raises(HarError, match="sensitive data"):
        learn(recording, TYPED)


@pytest.mark.parametrize("secret", [fake.PASSWORD, fake.PROXY_PASSWORD, "c00kie-Value-1"])
def test_a_secret_in_the_profile_is_an_error(secret: str) -> None:
    recording = small({quote_plus(secret): True})
    recording["log"]["entries"][1]["request"]["headers"] = [{"name": "Cookie", "value": "sid=c00kie-Value-1"}]
    with pytest.raises(HarError, match="would show up"):
        learn(recording, TYPED)


NESTED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([fake.HOST, fake.USER, fake.PASSWORD]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(NESTED)
@settings(max_examples=60, deadline=None)
def test_anything_for_a_har_is_a_sentence_at_worst(data: Any) -> None:
    for shape in (data, {"log": data}, {"log": {"entries": data}}, {"log": {"entries": [data, {"request": data}]}}):
        with contextlib.suppress(HarError):
            learn(shape, TYPED)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_recording_with_strange_parts_is_a_sentence_at_worst(recordings: dict[str, Har], data: st.DataObject) -> None:
    dialect = data.draw(st.sampled_from(DIALECTS))
    recording = copy.deepcopy(recordings[dialect])
    for _count in range(data.draw(st.integers(1, 3))):
        where: Any = recording["log"]["entries"]
        while isinstance(where, (dict, list)) and where:
            keys = list(where) if isinstance(where, dict) else list(range(len(where)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(where[key], (dict, list)) or data.draw(st.integers(0, 3)) == 0:
                where[key] = data.draw(NESTED)
                break
            where = where[key]
    with contextlib.suppress(HarError):
        learn(recording, typed(dialect))


@given(NESTED, NESTED)
@settings(max_examples=60, deadline=None)
def test_strange_bodies_are_a_sentence_at_worst(sent: Any, shown: Any) -> None:
    with contextlib.suppress(HarError):
        learn(small({"x": sent}, {"y": shown, "x": shown}), TYPED)


@pytest.mark.parametrize("text", ["[" * 100000, "{" * 5, "9" * 10000, '"\\ud800"', "[NaN, Infinity]", "\0", "<" * 1000])
def test_hostile_answers_are_passed_over(text: str) -> None:
    for mime in ("application/json", "text/html", "text/plain"):
        strange = entry("GET", "/strange")
        strange["response"]["content"] = {"mimeType": mime, "text": text}
        recording = small(more=(strange,))
        recording["log"]["entries"].insert(0, strange)
        assert learn(recording, TYPED).profile == learn(small(), TYPED).profile


def test_the_recording_is_not_changed(har: Callable[[str], Har], tmp_path: Path) -> None:
    recording = har("nested")
    before = json.dumps(recording)
    learn(recording, typed("nested"))
    assert json.dumps(recording) == before
