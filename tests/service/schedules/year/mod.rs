//! A simulated year: real catalog, real queue, real claims, a simulated clock. Ticks come twice, together, late, not at
//! all for days, and die at any moment; so do those who work. What each run stores are small backups in a directory,
//! which real deletions prune.

mod live;
mod plan;
#[path = "../../../engine/store/sample.rs"]
mod sample;
mod works;

use crate::stack::Running;
use live::Year;
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestRng, TestRunner,
};

const CASES: u32 = 3;
/// Each try takes seconds.
const SHRINKS: u32 = 8;

#[test]
fn in_a_year_every_run_happens_once_and_what_a_policy_keeps_stays() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let running = runtime.block_on(Running::start());
    let seeds = FileFailurePersistence::Direct("tests/service/schedules/year/seeds.txt");
    // The same stories in every run: what fails is then the change. PROPTEST_CASES asks for others too.
    let asked = std::env::var("PROPTEST_CASES").ok();
    let others = asked.is_some();
    let config = Config {
        cases: asked.and_then(|n| n.parse().ok()).unwrap_or(CASES),
        max_shrink_iters: SHRINKS,
        failure_persistence: Some(Box::new(seeds)),
        ..Config::default()
    };
    let mut runner = match others {
        true => TestRunner::new(config),
        false => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let stories = (
        proptest::collection::vec(plan::plans(), 2..5),
        proptest::num::u64::ANY,
    );
    let lived = runner.run(&stories, |(plans, luck)| {
        runtime.block_on(async {
            let mut year = Year::begin(&running, plans, luck).await;
            year.pass().await;
            println!("{}", year.told());
            Ok::<(), TestCaseError>(())
        })
    });
    if let Err(error) = lived {
        panic!("{error}");
    }
}
