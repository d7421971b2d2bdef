//! Pages of tapes in the order of their barcodes: after a barcode, never at an index, so
//! a walk meets every tape once however many are added meanwhile.

use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
};

use super::{
    Settings, arn::TapeArns, barcode::Barcode, error::Error, marker::Markers, shapes, store::Shelf,
    validation::Members,
};

/// Tapes on a page when the request has no `Limit`, as the service model says.
const DEFAULT_LIMIT: usize = 100;

/// The members that the three reading operations share.
pub(super) struct PageRequest {
    tape_arns: Vec<String>,
    marker: Option<String>,
    limit: Option<i32>,
}

impl PageRequest {
    pub(super) fn read(members: &mut Members<'_>) -> Self {
        Self {
            tape_arns: members
                .optional("TapeARNs", &shapes::TAPE_ARNS)
                .unwrap_or_default(),
            marker: members.optional("Marker", &shapes::MARKER),
            limit: members.optional("Limit", &shapes::LIMIT),
        }
    }

    /// Checks the marker against what else is asked: `asked` names the call, its region and
    /// its gateway.
    pub(super) fn resolve(self, asked: &[&str], arns: &TapeArns, settings: &Settings) -> Result<Walk, Error> {
        let only = (!self.tape_arns.is_empty()).then(|| {
            self.tape_arns
                .iter()
                .filter_map(|arn| arns.barcode(arn))
                .collect::<BTreeSet<_>>()
        });
        let filter = only.iter().flatten().map(Barcode::to_string);
        let filtered = if only.is_some() { "filtered" } else { "whole" };
        let parts = asked
            .iter()
            .copied()
            .chain([filtered])
            .map(str::to_owned)
            .chain(filter);
        let markers = Markers::new(&settings.account_id, parts);
        let after = self.marker.map(|marker| markers.read(&marker)).transpose()?;
        let limit = self
            .limit
            .map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(1));
        Ok(Walk {
            only,
            after: after.and_then(|last| Barcode::new(&last)),
            limit: limit.min(settings.tapes_per_page).max(1),
            markers,
        })
    }
}

/// Where a page begins and how long it is.
pub(super) struct Walk {
    only: Option<BTreeSet<Barcode>>,
    after: Option<Barcode>,
    limit: usize,
    markers: Markers,
}

impl Walk {
    /// The page of a shelf, and the marker of the next one, absent at the end.
    pub(super) fn page(&self, shelf: &Shelf) -> (Vec<Barcode>, Option<String>) {
        let start = (self.after.map_or(Unbounded, Excluded), Unbounded);
        let mut page: Vec<Barcode> = match &self.only {
            None => shelf.range(start).copied().take(self.limit + 1).collect(),
            Some(only) => {
                let there = only.range(start).filter(|barcode| shelf.contains(*barcode));
                there.copied().take(self.limit + 1).collect()
            }
        };
        let more = page.len() > self.limit;
        page.truncate(self.limit);
        let marker = page
            .last()
            .filter(|_| more)
            .map(|last| self.markers.after(&last.to_string()));
        (page, marker)
    }
}
