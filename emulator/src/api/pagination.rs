//! Pages of results: of tapes by barcode, and of gateways, pools and tags by name.
//!
//! A page begins after a barcode or a name, never at an index, so a client that reads all pages
//! meets every tape once, however many are added meanwhile.

use std::{
    collections::BTreeSet,
    ops::Bound::{Included, Unbounded},
};

use super::{call::Call, marker::Markers, shapes, validation::Members};
use crate::{
    account::{barcode::Barcode, store::BarcodeIndex, timestamp::Timestamp},
    protocol::{Code, Error},
    settings::{Settings, TapeArnsWithMarker, UnknownTapeArns},
};

/// The maximum number of rows of a page: `Limit`, or by default 100 as in the service model.
pub(super) fn rows_on_a_page(limit: Option<i32>, settings: &Settings) -> usize {
    let limit = limit.map_or(100, |limit| usize::try_from(limit).unwrap_or(1));
    limit.min(settings.tapes_per_page).max(1)
}

/// The members that the three reading operations share.
pub(super) struct TapePageRequest {
    tape_arns: Vec<String>,
    marker: Option<String>,
    limit: Option<i32>,
}

impl TapePageRequest {
    pub(super) fn read(members: &mut Members<'_>) -> Self {
        Self {
            tape_arns: members
                .optional("TapeARNs", &shapes::TAPE_ARNS)
                .unwrap_or_default(),
            marker: members.optional("Marker", &shapes::MARKER),
            limit: members.optional("Limit", &shapes::LIMIT),
        }
    }

    /// Checks the marker against the request: `asked` has the operation, the region and the
    /// gateway.
    pub(super) fn resolve<'a>(
        self,
        asked: &[&str],
        call: &'a Call<'a>,
        now: Timestamp,
    ) -> Result<TapePage<'a>, Error> {
        let settings = call.settings;
        let filter = (!self.tape_arns.is_empty()).then_some(self.tape_arns);
        let only = filter.as_ref().map(|arns| {
            let barcodes = arns.iter().filter_map(|arn| call.arns.barcode(arn));
            barcodes.collect::<BTreeSet<_>>()
        });
        let filtered = if only.is_some() { "filtered" } else { "whole" };
        let parts = asked.iter().copied().chain([filtered]).map(str::to_owned);
        let barcodes = only.iter().flatten().map(Barcode::to_string);
        let markers = Markers::new(parts.chain(barcodes), call, now);

        let limit = rows_on_a_page(self.limit, settings);
        let (marker, limit) = match settings.undocumented.tape_arns_with_marker {
            TapeArnsWithMarker::Page => (self.marker, limit),
            _ if filter.is_none() => (self.marker, limit),
            TapeArnsWithMarker::Ignore => (None, usize::MAX),
            TapeArnsWithMarker::Refuse if self.marker.is_none() => (None, usize::MAX),
            TapeArnsWithMarker::Refuse => {
                return Err(Error::invalid(
                    "Marker cannot be combined with TapeARNs; leave one out.",
                ));
            }
        };
        let after = marker.map(|marker| markers.read(&marker)).transpose()?;
        Ok(TapePage {
            call,
            filter,
            only,
            after: after.and_then(|last| Row::read(&last)),
            limit,
            markers,
        })
    }
}

/// A row of a page: a tape, and which of its rows this is, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) barcode: Barcode,
    pub(super) number: u8,
}

impl Row {
    /// Its name in a marker.
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
pub(super) struct TapePage<'a> {
    call: &'a Call<'a>,
    filter: Option<Vec<String>>,
    only: Option<BTreeSet<Barcode>>,
    after: Option<Row>,
    limit: usize,
    markers: Markers,
}

impl TapePage<'_> {
    /// The page of an index, with one row for each tape, and the marker of the next page, if any.
    ///
    /// # Errors
    /// `TapeCartridgeNotFound` for unknown tapes in the filter, if that is configured.
    pub(super) fn page(&self, shelf: &BarcodeIndex) -> Result<(Vec<Barcode>, Option<String>), Error> {
        let (rows, marker) = self.rows(shelf, |_| 1)?;
        Ok((rows.into_iter().map(|row| row.barcode).collect(), marker))
    }

    /// The same, if a tape can have more than one row.
    pub(super) fn rows(
        &self,
        shelf: &BarcodeIndex,
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

    /// Rejects a filter with tapes that the index does not have, if that is configured.
    fn check(&self, shelf: &BarcodeIndex) -> Result<(), Error> {
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
        let cause = format!("This call does not show these tapes: {}.", unknown.join(", "));
        Err(Error::gateway(Code::TapeCartridgeNotFound, cause))
    }
}

/// The members that listing operations share.
pub(super) struct NamePageRequest {
    marker: Option<String>,
    limit: Option<i32>,
}

impl NamePageRequest {
    pub(super) fn read(members: &mut Members<'_>) -> Self {
        Self {
            marker: members.optional("Marker", &shapes::MARKER),
            limit: members.optional("Limit", &shapes::LIMIT),
        }
    }

    /// Checks the marker against the request: `asked` has every part that the next request repeats.
    pub(super) fn resolve(self, asked: &[&str], call: &Call<'_>, now: Timestamp) -> Result<NamePage, Error> {
        let markers = Markers::new(asked, call, now);
        let after = self.marker.map(|marker| markers.read(&marker)).transpose()?;
        Ok(NamePage {
            after,
            limit: rows_on_a_page(self.limit, call.settings),
            markers,
        })
    }
}

/// Where a page begins and how long it is.
pub(super) struct NamePage {
    after: Option<String>,
    limit: usize,
    markers: Markers,
}

impl NamePage {
    /// The page of things in the order of their names, and the marker of the next page, if any.
    pub(super) fn of<'a, T>(&self, things: impl Iterator<Item = (&'a str, T)>) -> (Vec<T>, Option<String>) {
        let mut rest =
            things.skip_while(|(name, _)| self.after.as_deref().is_some_and(|after| *name <= after));
        let (names, page): (Vec<_>, Vec<_>) = rest.by_ref().take(self.limit).unzip();
        let more = rest.next().is_some();
        let marker = names.last().filter(|_| more).map(|last| self.markers.after(last));
        (page, marker)
    }
}
