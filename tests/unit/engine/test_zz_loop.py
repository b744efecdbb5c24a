import pytest, asyncio, time
from tests.support.stream import *
from tests.conftest import *
from tests.conftest import _bundled_broker
@pytest.mark.parametrize("n", range(12))
async def test_restart(bundled, tmp_path, n):
    make_topics(bundled, "in", "out")
    for i in range(4):
        app, _ = summing_app(config(bundled, tmp_path))
        t=time.time()
        async with running(app): 
            print(n,i,round(time.time()-t,2), app.stats.rebalances)
            if i%2: await asyncio.sleep(0.3)
