//! Pages of tapes in the order of their barcodes: after a barcode, never at an index, so
//! a walk meets every tape once however many are added meanwhile.

use std::{
    collections::BTreeSet,
    ops::Bound::{Included, Unbounded},
};

use super::{
    Settings, TapeArnsWithMarker, UnknownTapeArns,
    barcode::Barcode,
    error::{Code, Error},
    marker::Markers,
    ops::Call,
    shapes,
    store::Shelf,
    timestamp::Timestamp,
    validation::Members,
};

/// How many rows a page has at most, with this `Limit` or, as the service model says, 100.
pub(super) fn rows_on_a_page(limit: Option<i32>, settings: &Settings) -> usize {
    let limit = limit.map_or(100, |limit| usize::try_from(limit).unwrap_or(1));
    limit.min(settings.tapes_per_page).max(1)
}

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
    pub(super) fn resolve<'a>(
        self,
        asked: &[&str],
        call: &'a Call<'a>,
        now: Timestamp,
    ) -> Result<Walk<'a>, Error> {
        let settings = call.settings;
        let filter = (!self.tape_arns.is_empty()).then_some(self.tape_arns);
        let only = filter.as_ref().map(|arns| {
            let barcodes = arns.iter().filter_map(|arn| call.arns.barcode(arn));
            barcodes.collect::<BTreeSet<_>>()
        });
        let filtered = if only.is_some() { "filtered" } else { "whole" };
        let parts = asked.iter().copied().chain([filtered]).map(str::to_owned);
        let barcodes = only.iter().flatten().map(Barcode::to_string);
        let markers = Markers::new(parts.chain(barcodes), settings, now);

        let limit = rows_on_a_page(self.limit, settings);
        let (marker, limit) = match settings.undocumented.tape_arns_with_marker {
            TapeArnsWithMarker::Page => (self.marker, limit),
            _ if filter.is_none() => (self.marker, limit),
            TapeArnsWithMarker::Ignore => (None, usize::MAX),
            TapeArnsWithMarker::Refuse if self.marker.is_none() => (None, usize::MAX),
            TapeArnsWithMarker::Refuse => {
                return Err(Error::invalid("Marker does not go with TapeARNs; leave one out."));
            }
        };
        let after = marker.map(|marker| markers.read(&marker)).transpose()?;
        Ok(Walk {
            call,
            filter,
            only,
            after: after.and_then(|last| Row::read(&last)),
            limit,
            markers,
        })
    }
}

/// One row of an answer: a tape, and which of its rows this is, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) barcode: Barcode,
    pub(super) number: u8,
}

impl Row {
    /// The name that a marker knows it by.
    fn name(self) -> String {
        match self.number {
            0 => self.barcode.to_string(),
            number => format!("{}/{number}", self.barcode),
        }
    }

    fn read(name: &str) -> Option<Self> {
        let (barcode, number) = name.split_once('/').unwrap_or((name, "0"));
        Some(Self {
            barcode: Barcode::new(barcode)?,
            number: number.parse().ok()?,
        })
    }
}

/// Where a page begins and how long it is.
pub(super) struct Walk<'a> {
    call: &'a Call<'a>,
    filter: Option<Vec<String>>,
    only: Option<BTreeSet<Barcode>>,
    after: Option<Row>,
    limit: usize,
    markers: Markers,
}

impl Walk<'_> {
    /// The page of a shelf, one row a tape, and the marker of the next one, absent at the end.
    ///
    /// # Errors
    /// `TapeCartridgeNotFound` for tapes asked for that are not there, where that is an error.
    pub(super) fn page(&self, shelf: &Shelf) -> Result<(Vec<Barcode>, Option<String>), Error> {
        let (rows, marker) = self.rows(shelf, |_| 1)?;
        Ok((rows.into_iter().map(|row| row.barcode).collect(), marker))
    }

    /// The same, where a tape may have more rows than one.
    pub(super) fn rows(
        &self,
        shelf: &Shelf,
        rows_of: impl Fn(Barcode) -> u8,
    ) -> Result<(Vec<Row>, Option<String>), Error> {
        self.check(shelf)?;
        let start = self.after.map_or(Unbounded, |row| Included(row.barcode));
        let begun = |barcode: Barcode| {
            let rows = (0..rows_of(barcode)).map(move |number| Row { barcode, number });
            rows.filter(|row| self.after.is_none_or(|after| *row > after))
        };
        let take = self.limit.saturating_add(1);
        let mut page: Vec<Row> = match &self.only {
            None => {
                let there = shelf.range((start, Unbounded)).copied();
                there.flat_map(begun).take(take).collect()
            }
            Some(only) => {
                let there = only.range((start, Unbounded)).copied();
                let there = there.filter(|barcode| shelf.contains(barcode));
                there.flat_map(begun).take(take).collect()
            }
        };
        let more = page.len() > self.limit;
        page.truncate(self.limit);
        let marker = page
            .last()
            .filter(|_| more)
            .map(|last| self.markers.after(&last.name()));
        Ok((page, marker))
    }

    /// Refuses a filter that names tapes which the shelf does not hold, where that is an error.
    fn check(&self, shelf: &Shelf) -> Result<(), Error> {
        if self.call.settings.undocumented.unknown_tape_arns == UnknownTapeArns::Omit {
            return Ok(());
        }
        let is_there = |arn: &str| {
            self.call
                .arns
                .barcode(arn)
                .is_some_and(|tape| shelf.contains(&tape))
        };
        let asked = self.filter.iter().flatten().map(String::as_str);
        let unknown: Vec<&str> = asked.filter(|arn| !is_there(arn)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let cause = format!("These are not there for this call: {}.", unknown.join(", "));
        Err(Error::gateway(Code::TapeCartridgeNotFound, cause))
    }
}
