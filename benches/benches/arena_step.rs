//! One step of the arena, scripted inputs, at 2, 10, 32 and 100 players.

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use matchkeep_benches::play::{Play, SIZES};

/// Ticks of the runs that are compared.
const COMPARED_TICKS: u64 = 1200;

fn arena_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("arena_step");
    for players in SIZES {
        let (hash, events) = played(players);
        assert_eq!(played(players), (hash, events), "two runs of {players} players differ");
        assert!(events > 10, "only {events} events: {players} players do not meet");

        let mut play = Play::new(players);
        group.bench_function(format!("{players}_players"), |b| {
            b.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    play.prepare();
                    let start = Instant::now();
                    std::hint::black_box(play.step());
                    time += start.elapsed();
                }
                time
            });
        });
    }
    group.finish();
}

/// The hash of the state and the number of events after a run.
fn played(players: usize) -> (u64, usize) {
    let mut play = Play::new(players);
    let mut events = 0;
    for _ in 0..COMPARED_TICKS {
        play.prepare();
        events += play.step();
    }
    (play.hash(), events)
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = settings(); targets = arena_step }
criterion_main!(benches);
