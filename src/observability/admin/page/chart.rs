use std::fmt::Write;

use maud::{Markup, html};

use crate::observability::metrics::approximate;

/// One line of a chart: a value for each moment, where there was one.
pub(super) struct Line {
    /// Its name in the legend.
    pub(super) name: &'static str,
    /// Its values, newest last.
    pub(super) values: Vec<Option<f64>>,
}

/// Size of a chart in units of its own; the browser stretches it to the page.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 80.0;

/// A chart of lines over this number of moments, up to now.
pub(super) fn chart(title: &str, unit: &str, moments: usize, lines: &[Line]) -> Markup {
    let seen = lines.iter().flat_map(|line| line.values.iter().flatten());
    let most = seen.copied().fold(0.0, f64::max);
    let top = round_up(most);
    html! {
        figure {
            figcaption {
                b { (title) }
                @for (number, line) in lines.iter().enumerate() {
                    " "
                    span class={ "line-" (number) } {
                        (line.name) " "
                        output { (line.values.last().copied().flatten().map_or("–".to_owned(), amount)) }
                    }
                }
                " " small { (unit) }
            }
            div.plot {
                small.top { (amount(top)) }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img"
                    aria-label={ (title) ", last minutes, maximum " (amount(most)) " " (unit) } {
                    @for (number, line) in lines.iter().enumerate() {
                        @for points in pieces(&line.values, moments, top) {
                            polyline class={ "line-" (number) } points=(points) {}
                        }
                    }
                }
            }
        }
    }
}

/// The points of a line, split at its gaps. A single moment between gaps is a short line.
fn pieces(values: &[Option<f64>], moments: usize, top: f64) -> Vec<String> {
    let step = WIDTH / approximate(moments.max(2) - 1);
    let first = approximate(moments.saturating_sub(values.len()));
    let mut pieces = vec![String::new()];
    for (number, value) in values.iter().enumerate() {
        match (value, pieces.last_mut()) {
            (Some(value), Some(piece)) => {
                let x = (first + approximate(number)) * step;
                let y = HEIGHT - (value / top).clamp(0.0, 1.0) * (HEIGHT - 2.0) - 1.0;
                if piece.is_empty() {
                    let _ = write!(piece, "{:.1},{y:.1} ", (x - step / 2.0).max(0.0));
                }
                let _ = write!(piece, "{x:.1},{y:.1} ");
            }
            _ => pieces.push(String::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Rounds up to 1, 2 or 5 times a power of ten, so that the scale changes seldom.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= value)
        .unwrap_or(value)
}

/// A number with as many digits as a chart can show.
fn amount(value: f64) -> String {
    let digits = match value {
        _ if value == 0.0 || value >= 100.0 => 0,
        _ if value >= 1.0 => 1,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_splits_a_line() {
        let values = [Some(1.0), None, Some(0.0), Some(1.0)];
        assert_eq!(
            pieces(&values, 4, 1.0),
            ["0.0,1.0 0.0,1.0 ", "150.0,79.0 200.0,79.0 300.0,1.0 "]
        );
    }

    #[test]
    fn moments_without_a_value_stay_empty() {
        assert_eq!(pieces(&[Some(0.0)], 3, 1.0), ["225.0,79.0 300.0,79.0 "]);
        assert!(pieces(&[], 3, 1.0).is_empty());
        assert!(pieces(&[None], 3, 1.0).is_empty());
    }

    #[test]
    fn the_scale_is_a_round_number_not_below_the_value() {
        for (value, top) in [(0.0, 1.0), (0.03, 0.05), (1.0, 1.0), (1.1, 2.0), (73.0, 100.0)] {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}");
        }
    }
}
