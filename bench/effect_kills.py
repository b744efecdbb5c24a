"""The worker killed (SIGKILL) exactly at its effects: every site, before the request arrives, between effect and commit, after the commit, with either disk.

`tests/faults/effect_sites.py` is the list of the sites. What is measured is exactness, not speed.
"""

import asyncio
from collections import Counter

from bench.harness import Options, Report, Table, Target, kafka
from tests.faults.effect_rig import MOMENTS, Verdict, plan, run_cases
from tests.faults.effect_sites import SITES, Case

TITLE = "200 kills of the worker at its effects"
KILLS = 200
_LATE_SITES = [site for site in SITES if site.peer]
LATE = 2 * len(_LATE_SITES)
"""Each of them with either disk."""
_LIMIT_SECONDS = 3_000


def run(options: Options) -> Report:
    """`KILLS` kills, and `LATE` after which the dead worker's request still has its effect, while the next one is already at work."""
    kills = plan(options.scaled(KILLS))
    late = plan(options.scaled(LATE), _LATE_SITES, ("late",))
    with kafka(options) as broker:
        verdicts = [asyncio.run(_bounded(broker.bootstrap, cases)) for cases in (kills, late)]
    return _report(*verdicts)


async def _bounded(bootstrap: str, cases: list[Case]) -> Verdict:
    async with asyncio.timeout(_LIMIT_SECONDS):
        verdict: Verdict = await run_cases(bootstrap, cases, _tell)
    return verdict


def _tell(case: Case, seconds: float) -> None:
    print(f"{case.number}: {case}, next worker ready after {seconds:.1f} s {case.missed}", flush=True)


def _report(kills: Verdict, late: Verdict) -> Report:
    wrong = [*kills.checks, *late.checks]
    for one in (kills, late):
        for what, found in (("lost", one.lost), ("doubled", one.doubled), ("did not come about", one.missed)):
            for text in found:
                print(f"{what}: {text}", flush=True)
    for text in wrong:
        print(text, flush=True)
    done = len(kills.cases) - len(kills.missed)
    above = sum(text.startswith("refund_once") for text in wrong)
    measured = f"{done} kills: {len(kills.lost)} lost, {len(kills.doubled)} doubled, {above} refunds above paid"
    landed = len(late.cases) - len(late.missed)
    return Report(
        "Does every effect of the product happen once where its worker dies exactly there, and another one takes over, with the old disk or an empty one?",
        [
            Target(
                "kills at effect sites",
                f"{len(kills.cases)} kills, 0 lost, 0 doubled, 0 refunds above paid",
                measured,
                kills.ok,
            ),
            Target(
                "the dead worker's request has its effect afterwards",
                "0 lost, 0 doubled",
                f"{landed} kills: {len(late.lost)} lost, {len(late.doubled)} doubled",
                late.ok,
            ),
            Target("a drill's checks at the end", "all hold", f"{len(wrong)} failures", not wrong),
        ],
        [Table("Kills by site and moment", ["site", *MOMENTS, "late", "lost", "doubled"], _rows(kills, late))],
        [],
        [
            "*Before*: the request is at the peer's door, the peer has not seen it, the worker's intent is committed. *Between*: the peer did what was asked "
            "and its answer was never sent. *After*: the answer is committed, seen by a read_committed consumer of the changelog. *Late*: the worker dies, and "
            "its request has its effect 4 s afterwards. Every second round of the plan empties the disk.",
            "Apache Kafka, exactly_once; worker and ingress are the product's own processes without a test hook: the simulated peer stops the request. For the "
            "release command the moments are those of its record: its cause is durable, it is written, it is committed. Each kill has a product and an "
            "order of its own. Sweeps of the listings are off, so that nothing heals what a write did wrong.",
        ],
    )


def _rows(kills: Verdict, late: Verdict) -> list[list[str]]:
    count = Counter((case.site.name, case.moment) for one in (kills, late) for case in one.cases if not case.missed)
    wrong = {
        what: Counter(text.rsplit(", ", 2)[0] for one in (kills, late) for text in getattr(one, what))
        for what in ("lost", "doubled")
    }
    return [
        [
            site.name,
            *(str(count[site.name, moment]) for moment in (*MOMENTS, "late")),
            *(str(wrong[what][site.name]) for what in ("lost", "doubled")),
        ]
        for site in SITES
    ]
