//! This build of Hubward against another build, measured in the same rounds: the ratio of new to
//! old within each round, its median and its quartiles.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::machine;

/// The figures of both in one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) round: usize,
    pub(crate) new: f64,
    pub(crate) old: f64,
}

/// One measure of one contender, over all rounds in which both ran.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    /// The contender and the traffic.
    pub(crate) subject: String,
    /// What was measured, with its unit.
    pub(crate) measure: &'static str,
    pub(crate) rounds: Vec<Figures>,
}

/// The quartiles of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quartiles {
    pub(crate) lower: f64,
    pub(crate) median: f64,
    pub(crate) upper: f64,
}

/// Interpolates between two values, so that the median of an even number of values is the mean of
/// the middle two. `None` without values.
pub(crate) fn quartiles(mut values: Vec<f64>) -> Option<Quartiles> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |quarters: usize| {
        let (below, rest) = (last * quarters / 4, last * quarters % 4);
        let low = *values.get(below)?;
        let high = *values.get((below + 1).min(last))?;
        Some(low + (high - low) * rest as f64 / 4.0)
    };
    Some(Quartiles { lower: at(1)?, median: at(2)?, upper: at(3)? })
}

impl Comparison {
    /// The quartiles of the ratios of new to old, each taken within its round; a round in which the
    /// old figure is 0 has no ratio.
    pub(crate) fn ratios(&self) -> Option<Quartiles> {
        let ratios = self.rounds.iter().filter(|figures| figures.old > 0.0);
        quartiles(ratios.map(|figures| figures.new / figures.old).collect())
    }
}

/// The program that `--against` names, as an absolute path.
pub(crate) fn program(path: &str) -> Result<PathBuf> {
    let program = std::fs::canonicalize(path).with_context(|| format!("--against {path}"))?;
    if !program.is_file() {
        bail!("--against {path} is no program");
    }
    Ok(program)
}

/// Prints a figure; large ones have no fraction.
fn figure(value: f64) -> String {
    if value < 1000.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// The table, with the figures of each round.
pub(crate) fn table(program: &Path, comparisons: &[Comparison]) -> Result<String> {
    let mut text = String::new();
    let version = machine::version(program).map_or(String::new(), |version| format!(", {version}"));
    writeln!(
        text,
        "\n**New (this build) against old ({}{version})**\n\nThe ratio new to old within each round: its median and its quartiles.\n\n\
         | | measure | new/old | quartiles | new/old in each round |\n|---|---|---|---|---|",
        program.display()
    )?;
    for comparison in comparisons {
        let Some(Quartiles { lower, median, upper }) = comparison.ratios() else { continue };
        let rounds: Vec<String> = comparison
            .rounds
            .iter()
            .map(|Figures { round, new, old }| format!("{round}: {}/{}", figure(*new), figure(*old)))
            .collect();
        writeln!(
            text,
            "| {} | {} | {median:.3} | {lower:.3}–{upper:.3} | {} |",
            comparison.subject,
            comparison.measure,
            rounds.join(", ")
        )?;
    }
    Ok(text)
}

/// The same in machine-readable form.
pub(crate) fn json(program: &Path, comparisons: &[Comparison]) -> Value {
    let comparisons: Vec<Value> = comparisons
        .iter()
        .map(|comparison| {
            let ratios = comparison.ratios();
            let rounds = comparison.rounds.iter();
            json!({
                "subject": comparison.subject, "measure": comparison.measure,
                "median": ratios.map(|ratios| ratios.median), "lower_quartile": ratios.map(|ratios| ratios.lower),
                "upper_quartile": ratios.map(|ratios| ratios.upper),
                "rounds": rounds.map(|of| json!({ "round": of.round, "new": of.new, "old": of.old })).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "program": program.display().to_string(), "version": machine::version(program), "ratios_new_to_old": comparisons })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_few_and_many() {
        for (values, expected) in [
            (vec![], None),
            (vec![3.0], Some((3.0, 3.0, 3.0))),
            (vec![2.0, 1.0], Some((1.25, 1.5, 1.75))),
            (vec![3.0, 1.0, 2.0], Some((1.5, 2.0, 2.5))),
            (vec![4.0, 1.0, 3.0, 2.0], Some((1.75, 2.5, 3.25))),
            (vec![5.0, 1.0, 4.0, 2.0, 3.0], Some((2.0, 3.0, 4.0))),
            // nine rounds: a single outlier moves none of the three far
            (vec![9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1000.0], Some((4.0, 6.0, 8.0))),
        ] {
            let found = quartiles(values.clone());
            assert_eq!(found.map(|of| (of.lower, of.median, of.upper)), expected, "{values:?}");
        }
    }

    fn comparison(figures: &[(f64, f64)]) -> Comparison {
        let rounds =
            figures.iter().zip(1..).map(|((new, old), round)| Figures { round, new: *new, old: *old });
        Comparison { subject: "gcm".into(), measure: "Mbit/s", rounds: rounds.collect() }
    }

    /// The machine slows down from round to round, and the ratio does not change; the ratio of two
    /// medians would be 1.
    #[test]
    fn a_ratio_is_taken_within_its_round() {
        let ratios = comparison(&[(200.0, 100.0), (100.0, 50.0), (50.0, 200.0)]).ratios().unwrap();
        assert_eq!(ratios, Quartiles { lower: 1.125, median: 2.0, upper: 2.0 });
    }

    #[test]
    fn a_round_without_an_old_figure_has_no_ratio() {
        assert_eq!(comparison(&[(1.0, 0.0), (3.0, 2.0)]).ratios().map(|of| of.median), Some(1.5));
        assert_eq!(comparison(&[(0.0, 0.0)]).ratios(), None);
    }

    #[test]
    fn table_and_json_have_ratio_and_rounds() {
        let all = [comparison(&[(110.0, 100.0), (1200.0, 1000.0)])];
        let text = table(Path::new("/old/hubward"), &all).unwrap();
        assert!(text.contains("old (/old/hubward)"), "{text}");
        let line = "| gcm | Mbit/s | 1.150 | 1.125–1.175 | 1: 110.00/100.00, 2: 1200/1000 |";
        assert!(text.contains(line), "{text}");
        let value = json(Path::new("/old/hubward"), &all);
        let of = &value["ratios_new_to_old"][0];
        assert_eq!((of["median"].as_f64(), of["rounds"][1]["new"].as_f64()), (Some(1.15), Some(1200.0)));
    }

    #[test]
    fn the_program_must_be_there() {
        assert!(program("/nowhere/hubward").unwrap_err().to_string().contains("/nowhere/hubward"));
        assert!(program("/").unwrap_err().to_string().contains("no program"));
    }
}
