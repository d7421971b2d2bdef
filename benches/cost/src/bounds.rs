//! Bounds that figures must keep: benches/bounds.json.

use std::{collections::BTreeMap, fs};

use clap::{Arg, ArgMatches};
use serde::Deserialize;

/// What a command has measured, by name.
pub(crate) type Figures = BTreeMap<String, f64>;

/// The bound of one figure.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    least: Option<f64>,
    most: Option<f64>,
}

/// The argument `--check`.
pub(crate) fn argument() -> Arg {
    Arg::new("check")
        .long("check")
        .help("Fail if a figure is not within its bound in this file")
}

/// Checks the figures of a command, if `--check` names a file.
pub(crate) fn check(command: &str, matches: &ArgMatches, figures: &Figures) -> Result<(), String> {
    let Some(path) = matches.get_one::<String>("check") else {
        return Ok(());
    };
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut bounds: BTreeMap<String, BTreeMap<String, Bound>> =
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let bounds = bounds
        .remove(command)
        .ok_or_else(|| format!("{path} has no bounds of {command}"))?;
    let faults: Vec<_> = bounds
        .iter()
        .filter_map(|(name, bound)| fault(name, *bound, figures.get(name).copied()))
        .collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(format!("not within the bounds of {path}: {}", faults.join("; "))),
    }
}

fn fault(name: &str, bound: Bound, figure: Option<f64>) -> Option<String> {
    let Some(figure) = figure else {
        return Some(format!("{name} was not measured"));
    };
    let Bound { least, most } = bound;
    // A figure that is not a number is within no bound.
    let is_within = least.is_none_or(|least| figure >= least) && most.is_none_or(|most| figure <= most);
    let bound = |word, bound: Option<f64>| bound.map(|bound| format!(", {word} {bound}")).unwrap_or_default();
    (!is_within).then(|| {
        format!(
            "{name}: {figure:.2}{}{}",
            bound("at least", least),
            bound("at most", most)
        )
    })
}
