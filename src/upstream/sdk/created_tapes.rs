//! The ARNs in the response of a create, compared with its request.

use std::collections::HashSet;

use crate::domain::{Fault, Invalid, RequestedBarcode, RequestedTapes};

/// The most ARNs of a wrong response that an error names: as many as a create can ask for.
const MAX_NAMED: usize = 10;

/// The most bytes of the ARN of a tape. With the longest partition, region and barcode it has about 90.
const MAX_LENGTH: usize = 120;

/// Checks that the ARNs are those of the requested tapes: as many as requested, all different, each with
/// the partition, region and account of the gateway, and with the barcode or its prefix.
///
/// # Errors
///
/// [`Fault::WrongTapes`], which says all that is wrong, and names the ARNs: their tapes may exist.
pub(super) fn check(requested: RequestedTapes<'_>, arns: &[String]) -> Result<(), Fault> {
    let mut faults = Vec::new();
    let count = usize::from(requested.count);
    if arns.len() != count {
        let tapes = |count| match count {
            1 => "1 tape".to_owned(),
            _ => format!("{count} tapes"),
        };
        faults.push(format!("{} requested, {} named", tapes(count), tapes(arns.len())));
    }
    let mut seen = HashSet::new();
    let wrong = arns.iter().filter_map(|arn| {
        let why = match seen.insert(arn) {
            true => difference(requested, arn)?,
            false => "is named twice".to_owned(),
        };
        Some(format!("{} {why}", Invalid::quote(arn)))
    });
    faults.extend(wrong.take(MAX_NAMED));
    if faults.is_empty() {
        return Ok(());
    }
    let named = arns.iter().filter(|arn| arn.len() <= MAX_LENGTH);
    Err(Fault::WrongTapes {
        what: faults.join("; "),
        tape_arns: named.take(MAX_NAMED).cloned().collect(),
    })
}

/// How an ARN differs from that of a requested tape.
fn difference(requested: RequestedTapes<'_>, arn: &str) -> Option<String> {
    if arn.len() > MAX_LENGTH {
        return Some("is longer than an ARN of a tape".to_owned());
    }
    let gateway = &requested.tape.gateway;
    let Some(barcode) = gateway.barcode_of(arn) else {
        return Some(format!(
            "is not the ARN of a tape of {}/{}",
            gateway.account(),
            gateway.region()
        ));
    };
    match requested.barcode {
        RequestedBarcode::Exact(exact) => {
            (barcode != exact.as_str()).then(|| format!("does not have the barcode {exact}"))
        }
        RequestedBarcode::Prefix(prefix) => (!barcode.starts_with(prefix.as_str()))
            .then(|| format!("does not have the barcode prefix {}", prefix.as_str())),
    }
}
