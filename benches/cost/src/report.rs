//! The table for people.

use std::fmt::Write;

use crate::compare::{Measured, Turn};

/// All figures as tables of Markdown. Each is the median of all rounds.
pub(crate) fn markdown(measured: &Measured) -> String {
    let mut text = String::new();
    for work in ["create", "page"] {
        table(&mut text, work, measured);
    }
    memory(&mut text, measured);
    text
}

fn table(text: &mut String, work: &str, measured: &Measured) {
    let of_work: Vec<_> = measured.turns.iter().filter(|turn| turn.work == work).collect();
    let mut kinds: Vec<_> = of_work.iter().map(|turn| (turn.at_once, &*turn.who)).collect();
    let mut seen = Vec::new();
    kinds.retain(|kind| {
        let is_new = !seen.contains(kind);
        seen.push(*kind);
        is_new
    });
    let _ = writeln!(
        text,
        "| {work}, at once | by | CPU µs | of the SDK's | per second | p50 ms | p99 ms | p99.9 ms | to AWS | failed |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for (at_once, who) in kinds {
        let turns: Vec<_> = of_work
            .iter()
            .filter(|turn| turn.at_once == at_once && turn.who == who)
            .collect();
        let figure = |of: &dyn Fn(&Turn) -> f64| median(turns.iter().map(|turn| of(turn)));
        // By turns: each round's figure beside the SDK's of the same round.
        let sdk = of_work
            .iter()
            .filter(|turn| turn.at_once == at_once && turn.who == "sdk");
        let ratios = turns
            .iter()
            .zip(sdk)
            .map(|(turn, sdk)| turn.processor / sdk.processor);
        let failed: usize = turns.iter().map(|turn| turn.failed).sum();
        let _ = writeln!(
            text,
            "| {at_once} | {who} | {:.0} | {:.2} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {failed} |",
            figure(&|turn| turn.processor),
            median(ratios),
            figure(&|turn| turn.per_second),
            figure(&|turn| turn.micros[0] / 1e3),
            figure(&|turn| turn.micros[1] / 1e3),
            figure(&|turn| turn.micros[2] / 1e3),
            figure(&|turn| turn.upstream),
        );
    }
    text.push('\n');
}

fn memory(text: &mut String, measured: &Measured) {
    text.push_str("| by | idle MiB | at most MiB |\n|---|---|---|\n");
    for (who, idle, most) in &measured.memory {
        let _ = writeln!(text, "| {who} | {:.1} | {:.1} |", mib(*idle), mib(*most));
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// The figure in the middle; 0 without figures.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}
