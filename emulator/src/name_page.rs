//! Pages of what there are few of, in the order of their names.

use super::{
    Settings, error::Error, marker::Markers, page::rows_on_a_page, shapes, timestamp::Timestamp,
    validation::Members,
};

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

    /// Checks the marker against what else is asked: `asked` is all that a next page repeats.
    pub(super) fn resolve(
        self,
        asked: &[&str],
        settings: &Settings,
        now: Timestamp,
    ) -> Result<NamePage, Error> {
        let markers = Markers::new(asked, settings, now);
        let after = self.marker.map(|marker| markers.read(&marker)).transpose()?;
        Ok(NamePage {
            after,
            limit: rows_on_a_page(self.limit, settings),
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
    /// The page of things that come in the order of their names, and the marker of the next
    /// one, absent at the end.
    pub(super) fn of<'a, T>(&self, things: impl Iterator<Item = (&'a str, T)>) -> (Vec<T>, Option<String>) {
        let mut rest =
            things.skip_while(|(name, _)| self.after.as_deref().is_some_and(|after| *name <= after));
        let (names, page): (Vec<_>, Vec<_>) = rest.by_ref().take(self.limit).unzip();
        let more = rest.next().is_some();
        let marker = names.last().filter(|_| more).map(|last| self.markers.after(last));
        (page, marker)
    }
}
