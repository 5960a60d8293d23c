"""The second lesson: a pupil whose browser is not known any more gets their place back, and nobody else gets it."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from test_classroom_gate import Class, Json, key, opened, upload
from test_classroom_register import Clock

from teachable.classroom import cookies
from teachable.classroom.claims import LASTING_SECONDS

JOIN, ME, CLAIMS = "/api/v1/room/join", "/api/v1/room/me", "/api/v1/room/claims"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(10**9)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Class]:
    with opened(tmp_path_factory.mktemp("home"), clock) as found:
        yield found


@pytest.fixture(autouse=True)
def _begin_anew(school: Class, clock: Clock) -> Iterator[None]:
    yield
    clock.now += LASTING_SECONDS
    school.room.lock(None, False)
    school.room.open(True)
    for one in school.room.view().visitors:
        school.room.remove(one.id)


def claim(web: TestClient, name: str = "Anna") -> None:
    answer = web.post(JOIN, json={"name": name, "back": True})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"project": None, "waiting": True}


def claims(teacher: TestClient) -> list[Json]:
    found: list[Json] = teacher.get("/api/v1/room").json()["claims"]
    return found


def answer(teacher: TestClient, allow: bool = True) -> Json:
    found: Json = teacher.post(CLAIMS, json={"ids": [one["id"] for one in claims(teacher)], "allow": allow}).json()
    return found


def me(web: TestClient) -> Json:
    found: Json = web.get(ME).json()
    return found


# The story


def test_the_class_comes_back_when_the_address_has_changed(school: Class) -> None:
    teacher = school.teacher()
    pupils = {name: school.pupil(name) for name in ("Anna", "Ben", "Zoë")}
    web, hers = pupils["Anna"]
    assert upload(web, web.get(f"/api/v1/projects/{hers}").json(), range(2)).json()["total"] == 2
    for name, (web, _) in pupils.items():
        # The same browser, at another address of the same computer: what it keeps belongs to the old one.
        web.base_url = "https://localhost:7860"
        web.headers["Host"] = "localhost:7860"
        assert me(web)["visitor"] is None
        assert key(web.post(JOIN, json={"name": name.lower()}), 409) == "room_name_known"
        claim(web, name)
    assert [one["name"] for one in claims(teacher)] == list(pupils)
    assert answer(teacher)["claims"] == []
    for name, (web, project) in pupils.items():
        told = me(web)
        assert (told["visitor"]["name"], told["visitor"]["project"], told["claim"]) == (name, project, None)
        assert web.post(JOIN, json={"name": ""}).json() == {"project": project, "waiting": False}
        assert [one["id"] for one in web.get("/api/v1/projects").json()["projects"]] == [project]
    assert web.get(f"/api/v1/projects/{hers}").json()["classes"][0]["samples"] == 2
    assert len(school.room.view().visitors) == 3


# Asking


def test_a_known_name_is_asked_about_and_changes_nothing(school: Class) -> None:
    school.pupil("Anna")
    web = school.guest()
    error = web.post(JOIN, json={"name": " anna "}).json()["error"]
    assert (error["key"], error["values"]) == (
        "room_name_known",
        {"name": "Anna", "names": ["Anna"], "otherwise": "anna 2"},
    )
    assert not web.cookies
    assert len(school.room.view().visitors) == 1
    assert web.post(JOIN, json={"name": "Anna", "back": False}).json()["waiting"] is False
    assert me(web)["visitor"]["name"] == "Anna 2"
    # The second Anna did not type "Anna 2", and can say who she is.
    error = school.guest().post(JOIN, json={"name": "Anna"}).json()["error"]
    assert error["values"] == {"name": "Anna", "names": ["Anna", "Anna 2"], "otherwise": "Anna 3"}
    other = school.guest()
    claim(other, "Anna 2")
    assert [one["name"] for one in claims(school.teacher())] == ["Anna 2"]


def test_who_is_known_by_the_cookie_is_asked_nothing(school: Class) -> None:
    web, project = school.pupil("Anna")
    for body in ({"name": "anna"}, {"name": ""}, {"name": "Anna", "back": True}, {"name": "Anna", "back": False}):
        assert web.post(JOIN, json=body).json() == {"project": project, "waiting": False}
    assert claims(school.teacher()) == []


def test_the_next_one_at_the_same_computer_gets_their_own_place_back(school: Class) -> None:
    _, hers = school.pupil("Anna")
    web, his = school.pupil("Ben")
    claim(web)
    assert (me(web)["visitor"]["name"], me(web)["claim"]) == ("Ben", {"name": "Anna", "state": "waiting"})
    answer(school.teacher())
    assert me(web)["visitor"]["project"] == hers
    # Nobody was given the place of Ben.
    assert web.get(f"/api/v1/projects/{his}").status_code == 200
    assert len(school.room.view().visitors) == 2


def test_one_may_ask_while_the_room_is_closed_or_paused(school: Class) -> None:
    _, hers = school.pupil("Anna")
    school.room.open(False)
    school.room.lock(None, True)
    web = school.guest()
    assert key(web.post(JOIN, json={"name": "Anna"}), 409) == "room_name_known"
    assert key(web.post(JOIN, json={"name": "Anna", "back": False}), 409) == "room_closed"
    assert key(web.post(JOIN, json={"name": "Nobody"}), 409) == "room_closed"
    claim(web)
    answer(school.teacher())
    assert me(web)["visitor"]["project"] == hers
    assert web.get(f"/api/v1/projects/{hers}").status_code == 200


def test_a_name_that_is_not_there_any_more_is_not_known(school: Class) -> None:
    web, _ = school.pupil("Anna")
    school.room.remove(me(web)["visitor"]["id"])
    other = school.guest()
    assert key(other.post(JOIN, json={"name": "Anna", "back": True}), 404) == "room_name_gone"
    assert other.post(JOIN, json={"name": "Anna"}).status_code == 200
    assert me(other)["visitor"]["name"] == "Anna"


def test_asking_is_limited_like_joining(school: Class) -> None:
    school.pupil("Anna")
    web = school.guest()
    answers = [web.post(JOIN, json={"name": "Anna"}).status_code for _ in range(121)]
    assert set(answers[:120]) == {409}
    assert key(web.post(JOIN, json={"name": "Anna", "back": True}), 429) == "room_wait"


# Waiting


def test_the_cookie_of_a_claim_is_nobody_elses_to_read(school: Class) -> None:
    school.pupil("Anna")
    web = school.guest()
    claim(web)
    [cookie] = web.cookies.jar
    assert (cookie.name, cookie.secure, cookie.has_nonstandard_attr("HttpOnly")) == (cookies.CLAIM, True, True)
    assert cookie.get_nonstandard_attr("SameSite") == "lax"
    assert cookie.value not in school.teacher().get("/api/v1/room").text
    # It opens no project of its own.
    assert key(web.get("/api/v1/projects"), 403) == "room_members_only"
    assert me(school.guest())["claim"] is None


def test_who_is_refused_may_ask_again_or_join_as_somebody_else(school: Class) -> None:
    school.pupil("Anna")
    teacher, web = school.teacher(), school.guest()
    claim(web)
    answer(teacher, allow=False)
    assert (me(web)["claim"], claims(teacher)) == ({"name": "Anna", "state": "refused"}, [])
    claim(web)
    assert me(web)["claim"] == {"name": "Anna", "state": "waiting"}
    answer(teacher, allow=False)
    assert web.post(JOIN, json={"name": "Anna", "back": False}).status_code == 200
    assert (me(web)["visitor"]["name"], me(web)["claim"]) == ("Anna 2", None)
    assert cookies.CLAIM not in web.cookies


def test_a_claim_can_be_withdrawn_and_ends_by_itself(school: Class, clock: Clock) -> None:
    school.pupil("Anna")
    teacher, web = school.teacher(), school.guest()
    claim(web)
    web.post("/api/v1/room/leave")
    assert (claims(teacher), me(web)["claim"], dict(web.cookies)) == ([], None, {})
    claim(web)
    [late] = claims(teacher)
    clock.now += LASTING_SECONDS
    assert claims(teacher) == []
    teacher.post(CLAIMS, json={"ids": [late["id"]], "allow": True})
    assert (me(web)["claim"], me(web)["visitor"], dict(web.cookies)) == (None, None, {})


def test_with_a_pupil_who_is_removed_their_claims_are_over(school: Class) -> None:
    anna, _ = school.pupil("Anna")
    teacher, web, late = school.teacher(), school.guest(), school.guest()
    visitor = me(anna)["visitor"]["id"]
    claim(web)
    answer(teacher)
    claim(late)
    undo = teacher.delete(f"/api/v1/room/visitors/{visitor}").json()["undo"]
    assert claims(teacher) == []
    for one in (web, late):
        assert (me(one)["claim"], me(one)["visitor"]) == (None, None)
    teacher.post("/api/v1/room/visitors/restore", json={"undo": undo})
    assert me(anna)["visitor"]["id"] == visitor
    assert (me(web)["visitor"], claims(teacher)) == (None, [])


# The teacher's word


def test_what_is_allowed_is_taken_by_going_on_too(school: Class) -> None:
    _, project = school.pupil("Anna")
    web = school.guest()
    claim(web)
    answer(school.teacher())
    assert web.post(JOIN, json={}).json() == {"project": project, "waiting": False}
    assert me(web)["visitor"]["project"] == project


def test_who_joins_as_somebody_else_takes_nothing(school: Class) -> None:
    old, _ = school.pupil("Anna")
    web = school.guest()
    claim(web)
    answer(school.teacher())
    assert web.post(JOIN, json={"name": "Anna", "back": False}).status_code == 200
    assert [me(one)["visitor"]["name"] for one in (web, old)] == ["Anna 2", "Anna"]


def test_the_device_that_had_the_place_loses_it(school: Class) -> None:
    old, project = school.pupil("Anna")
    new = school.guest()
    claim(new)
    answer(school.teacher())
    # Allowed is not taken yet.
    assert me(old)["visitor"]["project"] == project
    assert me(new)["visitor"]["project"] == project
    assert me(old)["visitor"] is None
    assert old.get(f"{ME}?project={project}").json()["visitor"] is None
    # What it still has open is closed to it, and leads to joining.
    assert key(old.get(f"/api/v1/projects/{project}"), 404) == "room_place_moved"
    assert key(old.post(f"/api/v1/projects/{project}/classes", json={}), 404) == "room_place_moved"
    assert key(old.post("/api/v1/room/hand", json={"up": True}), 403) == "room_members_only"
    assert key(old.post(JOIN, json={"name": "Anna"}), 409) == "room_name_known"
    assert new.patch(f"/api/v1/projects/{project}", json={"name": "Mine"}).status_code == 200
    # Somebody else can use that device now.
    assert old.post(JOIN, json={"name": "Ben"}).status_code == 200
    assert me(old)["visitor"]["name"] == "Ben"


def test_an_answer_that_got_lost_is_given_again_and_the_secret_opens_once(school: Class) -> None:
    school.pupil("Anna")
    web = school.guest()
    claim(web)
    secret = web.cookies[cookies.CLAIM]
    answer(school.teacher())
    stolen = {"Cookie": f"{cookies.CLAIM}={secret}"}
    lost = school.guest().get(ME, headers=stolen).cookies[cookies.VISITOR]
    assert me(web)["visitor"]["name"] == "Anna"
    assert school.guest().get(ME, headers={"Cookie": f"{cookies.VISITOR}={lost}"}).json()["visitor"] is None
    # Once the browser has come with what it was given, the claim is worth nothing.
    assert me(web)["visitor"]["name"] == "Anna"
    assert cookies.CLAIM not in web.cookies
    assert school.guest().get(ME, headers=stolen).json()["visitor"] is None
    assert me(web)["visitor"]["name"] == "Anna"


def test_a_place_that_two_devices_want_is_decided_by_looking(school: Class) -> None:
    _, project = school.pupil("Anna")
    teacher, first, second = school.teacher(), school.guest(), school.guest()
    claim(first)
    claim(second)
    assert len(answer(teacher)["claims"]) == 2
    chosen = claims(teacher)[1]["id"]
    assert teacher.post(CLAIMS, json={"ids": [chosen], "allow": True}).json()["claims"] == []
    assert me(second)["visitor"]["project"] == project
    assert (me(first)["visitor"], me(first)["claim"]) == (None, {"name": "Anna", "state": "refused"})


def test_nobody_but_the_teacher_sees_or_answers_claims(school: Class) -> None:
    school.pupil("Anna")
    ben, _ = school.pupil("Ben")
    teacher, web = school.teacher(), school.guest()
    claim(web)
    [waiting] = claims(teacher)
    body = {"ids": [waiting["id"]], "allow": True}
    for one in (ben, web, school.guest()):
        assert key(one.get("/api/v1/room"), 403) == "room_teacher_only"
        assert key(one.post(CLAIMS, json=body), 403) == "room_teacher_only"
        assert waiting["id"] not in one.get(ME).text
    # What names a claim to the teacher opens nothing.
    guess = {"Cookie": f"{cookies.CLAIM}={waiting['id']}"}
    assert school.guest().get(ME, headers=guess).json()["claim"] is None
    assert me(web)["claim"] == {"name": "Anna", "state": "waiting"}
    assert teacher.post(CLAIMS, json={"ids": ["unknown"], "allow": True}).json()["claims"] == [waiting]
