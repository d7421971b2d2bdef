//! Pagination: fetches a list page by page, when the reader asks for the next page.
//!
//! A [`Paginator`] never fetches ahead of its reader. A list is complete or ends with an error: a
//! marker that AWS repeats is an error, because the list would be endless, or truncated if the
//! marker were taken for its end.
//!
//! If the reader may not see every tape, the paginator filters the rows of each page. `max_items`
//! then counts the rows that the reader sees, and the pages of AWS are not limited to the rows that
//! remain. A list that reaches `max_items` inside a page ends with a marker of this service, which
//! contains how many rows of AWS's page to skip.

mod cycle_detector;
mod named_tapes;

use std::{num::NonZeroU32, sync::Arc};

use opentelemetry::trace::{FutureExt, SpanKind};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use self::{cycle_detector::CycleDetector, named_tapes::NamedTapes};
use crate::{
    access::{
        Authority, AuthorizedCall, Grant,
        policy::{RowFilter, TapeView},
    },
    call::{Answer, Call, CallContext, Caller},
    domain::{Cursor, Failure, Fault, ListOperation, Marker, Page, PageRequest, Row, TapeArn, TapeStatus},
    observability::telemetry::TraceSpan,
};

/// The number of rows of a page without a limit (service model).
const DEFAULT_LIMIT: NonZeroU32 = NonZeroU32::new(100).expect("100 is not 0");

/// The requested part of a list, and the size of its pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListParams {
    /// The position to start at.
    pub start: Cursor,
    /// The most rows of a page; `None` for AWS's default.
    pub limit: Option<NonZeroU32>,
    /// The most rows in total, above 0; `None` for no limit.
    pub max_items: Option<u64>,
}

/// The call that a list is fetched for.
#[derive(Clone, Debug)]
pub struct ListContext {
    /// The gRPC call that the list is part of.
    pub context: Arc<CallContext>,
    /// The reader of the list.
    pub caller: Caller,
    /// When the list must have ended.
    pub deadline: Instant,
    /// Whether the reader asks for fresh pages, which are not coalesced.
    pub fresh: bool,
    /// What the reader may see.
    pub visibility: Visibility,
}

/// What the reader of a list may see.
#[derive(Clone, Debug)]
pub enum Visibility {
    /// What this authority allows, which decides for each page and each row.
    By(Authority),
    /// Everything, because the list is part of a call that is already authorized.
    PartOf(Grant),
}

/// A page of a list as the reader sees it.
#[derive(Clone, Debug)]
pub struct ListPage<R> {
    /// The rows that the reader may see, and the marker after them.
    pub page: Arc<Page<R>>,
    /// The tapes that the request names and that the list did not show, because they do not exist or
    /// because the reader may not see them. Only the last page has them, and only if the list began at
    /// its beginning and is complete.
    pub missing: Vec<TapeArn>,
}

/// Fetches a list page by page.
pub struct Paginator<L, S> {
    upstream: S,
    list: L,
    context: ListContext,
    limit: Option<NonZeroU32>,
    remaining: Option<u64>,
    position: Position,
    cycles: CycleDetector,
    named: NamedTapes,
}

enum Position {
    At(Cursor),
    Ended,
}

impl<L, S> Paginator<L, S>
where
    L: ListOperation,
    S: Service<AuthorizedCall<L>, Response = Answer<Arc<Page<L::Row>>>, Error = Failure> + Clone,
{
    /// A paginator of `list` that has fetched nothing yet.
    pub fn new(upstream: S, list: L, params: ListParams, context: ListContext) -> Self {
        let ListParams {
            start,
            limit,
            max_items,
        } = params;
        let cycles = CycleDetector::starting_at(start.marker.clone());
        let named = NamedTapes::of(&list, &start);
        Self {
            upstream,
            list,
            context,
            limit,
            remaining: max_items,
            position: Position::At(start),
            cycles,
            named,
        }
    }

    /// The next page; `None` after the last one, and after a failure.
    ///
    /// # Errors
    ///
    /// Those of the upstream stack, [`Fault::Denied`], [`Fault::MarkerRepeated`],
    /// [`Fault::PageTooLong`], and [`Fault::Unreadable`] for tapes of another account or region.
    pub async fn next(&mut self) -> Option<Result<Answer<ListPage<L::Row>>, Failure>> {
        let Position::At(cursor) = std::mem::replace(&mut self.position, Position::Ended) else {
            return None;
        };
        let filter = match &self.context.visibility {
            Visibility::By(authority) => authority.row_filter(&self.context.caller, &self.list),
            Visibility::PartOf(_) => None,
        };
        // A page whose rows are filtered or skipped may yield fewer rows than remain, so AWS is asked
        // for a full one.
        let is_whole = filter.is_none() && cursor.skip == 0;
        let limit = match &filter {
            _ if is_whole => self.page_limit(),
            Some(_) => self.filtered_limit(),
            None => self.limit,
        };
        let answer = match self.fetch(cursor.marker.clone(), limit).await {
            Ok(answer) => answer,
            Err(failure) => return Some(Err(failure)),
        };
        let Answer { output, attempts } = answer;
        if let Some(what) = self.scope_mismatch(&output) {
            return Some(Err(Fault::Unreadable { what }.after(attempts)));
        }
        let shown = match is_whole {
            true => self.whole(limit, output),
            false => Ok(self.filter(&cursor, filter.as_ref(), &output)),
        };
        Some(match shown.and_then(|shown| self.advance(&cursor, shown)) {
            Ok(output) => Ok(Answer { output, attempts }),
            Err(fault) => Err(fault.after(attempts)),
        })
    }

    async fn fetch(
        &self,
        marker: Option<Marker>,
        limit: Option<NonZeroU32>,
    ) -> Result<Answer<Arc<Page<L::Row>>>, Failure> {
        let ListContext {
            context,
            caller,
            deadline,
            fresh,
            visibility,
        } = &self.context;
        let trace = TraceSpan::begin("page", SpanKind::Internal);
        trace.set("tapegate.operation", L::NAME);
        let page = self.list.at(PageRequest { marker, limit });
        let call = Call::new(context, caller.clone(), page, *deadline).fresh(*fresh);
        let call = match visibility {
            Visibility::By(authority) => authority.authorize(call)?,
            Visibility::PartOf(grant) => grant.extend_to(call),
        };
        match visibility {
            Visibility::By(_) => context.enter_step(&call.live),
            Visibility::PartOf(_) => context.enter_look_up(&call.live),
        }
        let upstream = self.upstream.clone();
        // In an async block, so that the stack is called within the span.
        let fetched = async move { upstream.oneshot(call).await };
        let answer = fetched.with_context(trace.context().clone()).await;
        if let Ok(Answer { output, .. }) = &answer {
            trace.set(
                "tapegate.page.tapes",
                i64::try_from(output.rows.len()).unwrap_or(i64::MAX),
            );
        }
        answer
    }

    /// An error text if a page has tapes of another account or region than the list.
    ///
    /// AWS returns the tapes of the account whose credentials signed the request, whichever the caller
    /// named.
    fn scope_mismatch(&self, page: &Page<L::Row>) -> Option<String> {
        let (region, account) = (self.list.region(), self.list.account()?);
        // Up to the account, most tapes of a page have the same ARN.
        let mut right = "";
        page.rows.iter().find_map(|row| {
            let arn = row.tape_arn();
            if !right.is_empty() && arn.starts_with(right) {
                return None;
            }
            let mut parts = arn.splitn(6, ':').skip(3);
            let (of_region, of_account) = (parts.next()?, parts.next()?);
            let is_other = of_region != region.as_str() || of_account != account.as_str();
            right = parts.next().map_or("", |tape| &arn[..arn.len() - tape.len()]);
            is_other.then(|| {
                format!(
                    "it lists tapes of {of_account}/{of_region}, but {account}/{region} was requested; \
                     check the settings account_id and [[account]], and the account of the AWS credentials"
                )
            })
        })
    }

    /// The limit of the next whole page. If fewer rows remain, it is their number, so that the page's
    /// marker is the position after the last row.
    fn page_limit(&self) -> Option<NonZeroU32> {
        let Some(remaining) = self.remaining else {
            return self.limit;
        };
        let remaining = NonZeroU32::new(u32::try_from(remaining).unwrap_or(u32::MAX));
        Some(remaining.map_or(NonZeroU32::MIN, |remaining| {
            self.limit.unwrap_or(DEFAULT_LIMIT).min(remaining)
        }))
    }

    /// The limit of a page that is filtered. A list of named tapes is one page: otherwise the number of
    /// pages would tell whether a hidden tape exists.
    fn filtered_limit(&self) -> Option<NonZeroU32> {
        let named = u32::try_from(self.list.tapes().len()).unwrap_or(u32::MAX);
        NonZeroU32::new(named).or(self.limit)
    }

    /// A page of which the reader sees every row.
    fn whole(
        &mut self,
        limit: Option<NonZeroU32>,
        page: Arc<Page<L::Row>>,
    ) -> Result<ShownPage<L::Row>, Fault> {
        if let (Some(remaining), Some(limit)) = (&mut self.remaining, limit) {
            let limit = limit.get();
            let shown = u32::try_from(page.rows.len()).ok().filter(|rows| *rows <= limit);
            *remaining -= u64::from(shown.ok_or(Fault::PageTooLong {
                rows: page.rows.len(),
                limit,
            })?);
        }
        Ok(ShownPage {
            next: page.next.clone().map(Cursor::at),
            page,
            is_truncated: false,
        })
    }

    /// The rows of a page that the reader sees: those after the cursor that policies allow, and no
    /// more than remain.
    fn filter(
        &mut self,
        cursor: &Cursor,
        filter: Option<&RowFilter>,
        page: &Page<L::Row>,
    ) -> ShownPage<L::Row> {
        let length = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
        let next_page = page.next.clone().map(|marker| Cursor {
            marker: Some(marker),
            // Where AWS now returns a shorter page, the other rows to skip are on the next one.
            skip: cursor.skip.saturating_sub(length),
        });
        let (mut shown, mut truncated_at, mut hidden, mut differing) = (Vec::new(), None, 0, 0);
        for (index, row) in (0..)
            .zip(&page.rows)
            .skip_while(|(index, _)| *index < cursor.skip)
        {
            let (may_show, differs) = filter.map_or((true, false), |filter| filter.may_show(&view(row)));
            differing += u64::from(differs);
            if !may_show {
                hidden += 1;
                continue;
            }
            if self.remaining == Some(0) {
                // The reader may see more rows of this page, in another call.
                truncated_at = Some(Cursor {
                    marker: cursor.marker.clone(),
                    skip: index,
                });
                break;
            }
            shown.push(row.clone());
            self.remaining = self.remaining.map(|remaining| remaining - 1);
        }
        if let Visibility::By(authority) = &self.context.visibility {
            self.context.context.add_hidden_tapes(hidden);
            authority.record_filtering(&self.context.caller, hidden, differing);
        }
        let is_truncated = truncated_at.is_some();
        let next = truncated_at.or(next_page);
        ShownPage {
            page: Arc::new(Page::new(shown, next.clone().map(Marker::from))),
            next,
            is_truncated,
        }
    }

    /// Moves to the next page, unless this one was the last.
    fn advance(&mut self, cursor: &Cursor, shown: ShownPage<L::Row>) -> Result<ListPage<L::Row>, Fault> {
        let ShownPage {
            page,
            next,
            is_truncated,
        } = shown;
        self.named.show(&page.rows);
        let missing = match &next {
            None => self.named.take_missing(),
            Some(_) => Vec::new(),
        };
        let page = ListPage { page, missing };
        let Some(next) = next.filter(|_| !is_truncated) else {
            return Ok(page);
        };
        let is_new = |marker| cursor.marker.as_ref() != Some(marker) && self.cycles.admit(marker);
        if !next.marker.as_ref().is_some_and(is_new) {
            return Err(Fault::MarkerRepeated);
        }
        if self.remaining != Some(0) {
            self.position = Position::At(next);
        }
        Ok(page)
    }
}

/// The part of a page that the reader sees, and the position after it.
struct ShownPage<R> {
    page: Arc<Page<R>>,
    next: Option<Cursor>,
    /// Whether `max_items` was reached inside AWS's page. `next` is then inside that page.
    is_truncated: bool,
}

/// The attributes of a row that policies can use.
fn view<R: Row>(row: &R) -> TapeView<'_> {
    TapeView {
        arn: row.tape_arn(),
        barcode: row.barcode().unwrap_or_default(),
        pool: row.pool().map_or("", |pool| pool.as_str()),
        status: row.status().map(TapeStatus::underscored).unwrap_or_default(),
        gateway: row.gateway(),
    }
}
