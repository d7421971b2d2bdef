//! The table for people.

use std::fmt::Write;

use crate::{
    bounds::Figures,
    compare::{Measured, Turn},
};

/// All figures as tables of Markdown. Each is the median of all rounds.
pub(crate) fn markdown(measured: &Measured) -> String {
    let mut text = String::new();
    for work in ["create", "page"] {
        table(&mut text, work, measured);
    }
    memory(&mut text, measured);
    text
}

/// The participants of the turns, and how many calls were in progress, in the order of the turns.
fn kinds<'m>(turns: &[&'m Turn]) -> Vec<(u64, &'m str)> {
    let mut kinds: Vec<(u64, &str)> = Vec::new();
    for turn in turns {
        let kind = (turn.at_once, &*turn.who);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

fn of_kind<'t, 'm>(turns: &'t [&'m Turn], at_once: u64, who: &'t str) -> impl Iterator<Item = &'m Turn> + 't {
    turns
        .iter()
        .copied()
        .filter(move |turn| turn.at_once == at_once && turn.who == who)
}

/// By turns: each round's figure of `who` by that of `other` in the same round; the one in the middle.
fn ratio(turns: &[&Turn], at_once: u64, who: &str, other: &str, of: impl Fn(&Turn) -> f64) -> f64 {
    let pairs = of_kind(turns, at_once, who).zip(of_kind(turns, at_once, other));
    median(pairs.map(|(turn, other)| of(turn) / of(other)))
}

fn table(text: &mut String, work: &str, measured: &Measured) {
    let of_work: Vec<_> = measured.turns.iter().filter(|turn| turn.work == work).collect();
    let _ = writeln!(
        text,
        "| {work}, at once | by | CPU µs | of the SDK's | per second | p50 ms | p99 ms | p99.9 ms | to AWS | failed |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for (at_once, who) in kinds(&of_work) {
        let turns: Vec<_> = of_kind(&of_work, at_once, who).collect();
        let figure = |of: &dyn Fn(&Turn) -> f64| median(turns.iter().map(|turn| of(turn)));
        let failed: usize = turns.iter().map(|turn| turn.failed).sum();
        let _ = writeln!(
            text,
            "| {at_once} | {who} | {:.0} | {:.2} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {failed} |",
            figure(&|turn| turn.processor),
            ratio(&of_work, at_once, who, "sdk", |turn| turn.processor),
            figure(&|turn| turn.per_second),
            figure(&|turn| turn.micros[0] / 1e3),
            figure(&|turn| turn.micros[1] / 1e3),
            figure(&|turn| turn.micros[2] / 1e3),
            figure(&|turn| turn.upstream),
        );
    }
    text.push('\n');
}

/// Figures that can have a bound: each participant beside each other one.
pub(crate) fn figures(measured: &Measured) -> Figures {
    let mut figures = Figures::new();
    for work in ["create", "page"] {
        let of_work: Vec<_> = measured.turns.iter().filter(|turn| turn.work == work).collect();
        for (at_once, who) in kinds(&of_work) {
            for (_, other) in kinds(&of_work).iter().filter(|(other, _)| *other == at_once) {
                let mut add = |what: &str, of: &dyn Fn(&Turn) -> f64| {
                    let name = format!("{work}, {at_once} at once, {who}, {what}, by that of {other}");
                    figures.insert(name, ratio(&of_work, at_once, who, other, of));
                };
                add("CPU", &|turn| turn.processor);
                add("per second", &|turn| turn.per_second);
            }
        }
    }
    figures
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
