import itertools

from empgan_bench.scaling.plan import AXES, Place, ScalingPlan, Setting

BASE = Setting(batch=8, beam=5, turns=4, vocabulary=11_647, threads=2)


def plan(*axes, cores=2, base=BASE):
    return ScalingPlan(axes, base, cores, 0, 0.0, 0)


def test_one_axis_at_a_time():
    places = plan(*AXES).places()
    assert [axis for axis, _ in itertools.groupby(places, key=lambda p: p.axis)] == [*AXES]
    for place in places:
        moved = {
            name: value
            for name in AXES
            if (value := getattr(place.setting, name)) != getattr(BASE, name)
        }
        assert moved in ({place.axis: place.value}, {})


def test_values_rise_and_the_base_point_is_on_every_axis():
    for axis in AXES:
        *places, again = plan(axis).places()
        values = [place.value for place in places]
        assert values == sorted({*values})
        assert getattr(BASE, axis) in values
        assert values[0] >= 1
        assert again.again
        assert again.setting == BASE


def test_threads_end_at_the_cores_allowed_unless_the_base_point_has_more():
    def values(cores, threads):
        base = Setting(8, 5, 4, 99, threads)
        return [place.value for place in plan("threads", cores=cores, base=base).places()[:-1]]

    assert values(cores=6, threads=6) == [1, 2, 4, 6]
    assert values(cores=1, threads=1) == [1]
    assert values(cores=2, threads=3) == [1, 2, 3]


def test_a_place_names_its_value():
    assert str(Place("vocabulary", 50_000, BASE)) == "vocabulary 50,000"
    assert str(Place("batch", 8, BASE, again=True)) == "batch 8 again"
