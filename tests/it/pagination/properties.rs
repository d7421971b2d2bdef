//! Properties of the paginator that hold for any upstream.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use proptest::prelude::*;
use tapegate::{
    access::AuthorizedCall,
    access::{
        Authority,
        policy::{Policies, PolicyEngine},
    },
    call::Answer,
    domain::{
        Attempts, Cursor, Failure, Fault, ListTapes, Marker, Page, PageRequest, Pool, Scope, TapeInfo,
        TapeStatus,
    },
    upstream::pagination::{ListContext, ListParams, Paginator, Visibility},
};
use tower::service_fn;

use crate::harness::transport::list_context;

fn tape(number: usize) -> TapeInfo {
    TapeInfo {
        tape_arn: number.to_string(),
        tape_barcode: None,
        tape_size_in_bytes: None,
        tape_status: Some(TapeStatus::reported("ARCHIVED")),
        gateway_arn: None,
        pool_id: None,
        retention_start_date: None,
        pool_entry_date: None,
    }
}

fn all() -> ListTapes {
    let scope = Scope {
        region: "us-east-1".parse().unwrap(),
        account: None,
    };
    ListTapes {
        scope,
        tapes: [].into(),
        page: PageRequest::default(),
    }
}

/// The walk of a reader who may see everything, or one pool alone.
fn reader(everything: bool) -> ListContext {
    let list_context = list_context(Duration::from_secs(3600));
    if everything {
        return list_context;
    }
    let folder = tempfile::tempdir().unwrap();
    let policy = r#"
        permit(principal, action == TapeGate::Action::"ListTapes", resource);
        permit(principal, action, resource is TapeGate::Tape) when { resource.pool == "MINE" };
    "#;
    std::fs::write(folder.path().join("mine.cedar"), policy).unwrap();
    let policies = PolicyEngine::open("policies of a test", folder.path()).unwrap();
    let policies = Policies::new(Arc::new(policies), None, "GLACIER".to_owned());
    ListContext {
        visibility: Visibility::By(Authority::Policies(Arc::new(policies))),
        ..list_context
    }
}

fn answer(rows: std::ops::Range<usize>, next: Option<String>) -> Answer<Arc<Page<TapeInfo>>> {
    let page = Page::new(rows.map(tape).collect(), Marker::reported(next));
    Answer {
        output: Arc::new(page),
        attempts: Attempts::one(None),
    }
}

/// An upstream of `total` tapes. Its pages hold what is asked for, 100 where nothing is,
/// and never more than the next of `caps` allows, which may be none at all.
#[derive(Clone, Debug)]
struct Tapes {
    total: usize,
    caps: Vec<usize>,
    /// Which tapes are in the reader's pool; as often again as there are tapes. None at all where
    /// the reader may see all of them.
    mine: Option<Vec<bool>>,
}

impl Tapes {
    /// A marker says how many tapes and how many pages went before.
    fn page(&self, asked: &PageRequest) -> Answer<Arc<Page<TapeInfo>>> {
        let (from, page) = asked.marker.as_ref().map_or((0, 0), |marker| {
            let (from, page) = marker.as_str().split_once('/').unwrap();
            (from.parse().unwrap(), page.parse::<usize>().unwrap())
        });
        let limit = asked.limit.map_or(100, |limit| limit.get() as usize);
        let to = (from + limit.min(self.caps[page % self.caps.len()])).min(self.total);
        let mut page = answer(from..to, (to < self.total).then(|| format!("{to}/{}", page + 1)));
        for row in &mut Arc::get_mut(&mut page.output).unwrap().rows {
            let is_mine = self.is_shown(row.tape_arn.parse().unwrap());
            row.pool_id = Some(Pool::reported(if is_mine { "MINE" } else { "OTHERS" }));
        }
        page
    }

    fn is_shown(&self, tape: usize) -> bool {
        self.mine.as_ref().is_none_or(|mine| mine[tape % mine.len()])
    }

    /// The tapes that the reader may see.
    fn shown(&self) -> Vec<usize> {
        (0..self.total).filter(|tape| self.is_shown(*tape)).collect()
    }

    /// The walk's rows, its messages' markers, and how many rows each was asked to hold.
    fn walk(&self, plan: ListParams) -> Vec<(Vec<usize>, Option<Marker>)> {
        let upstream = service_fn(|call: AuthorizedCall<ListTapes>| {
            let answer = self.page(&call.operation.page);
            async move { Ok::<_, Failure>(answer) }
        });
        let mut walk = Paginator::new(upstream, all(), plan, reader(self.mine.is_none()));
        let mut pages = Vec::new();
        while let Some(page) = futures_util::FutureExt::now_or_never(walk.next()).unwrap() {
            let page = page.unwrap().output.page;
            pages.push((
                page.rows
                    .iter()
                    .map(|row| row.tape_arn.parse().unwrap())
                    .collect(),
                page.next.clone(),
            ));
        }
        pages
    }
}

fn tapes() -> impl Strategy<Value = Tapes> {
    let caps = prop::collection::vec(0..40_usize, 1..6);
    // An upstream whose pages are all empty never ends, and never has to.
    let caps = caps.prop_filter("some page must hold a tape", |caps| {
        caps.iter().any(|cap| *cap > 0)
    });
    let mine = prop::option::of(prop::collection::vec(any::<bool>(), 1..40));
    (0..300_usize, caps, mine).prop_map(|(total, caps, mine)| Tapes { total, caps, mine })
}

fn plan() -> impl Strategy<Value = ListParams> {
    (0..1000_u32, 0..400_u64).prop_map(|(limit, max_items)| ListParams {
        start: Cursor::default(),
        limit: NonZeroU32::new(limit),
        max_items: (max_items > 0).then_some(max_items),
    })
}

proptest! {
    #[test]
    fn each_tape_is_listed_once_and_in_order(tapes in tapes(), plan in plan()) {
        let pages = tapes.walk(plan.clone());
        let shown: Vec<_> = pages.iter().flat_map(|(rows, _)| rows).copied().collect();
        let all = tapes.shown();
        let end = plan.max_items.map_or(all.len(), |max| all.len().min(usize::try_from(max).unwrap()));
        prop_assert_eq!(&shown, &all[..end]);
        // The last marker is absent exactly when there is no more; what there is may be hidden.
        let (_, last) = pages.last().unwrap();
        prop_assert!(last.is_some() || end == all.len());
        prop_assert!(last.is_none() || end < all.len() || plan.max_items == Some(end as u64));
        if tapes.mine.is_none() {
            prop_assert_eq!(last.is_none(), end == tapes.total);
        }
        if let Some(limit) = plan.limit {
            prop_assert!(pages.iter().all(|(rows, _)| rows.len() <= limit.get() as usize));
        }
    }

    #[test]
    fn resuming_after_any_message_lists_exactly_the_rest(tapes in tapes(), first in plan(), second in plan()) {
        let mut seen = 0;
        for (rows, marker) in tapes.walk(first) {
            seen += rows.len();
            let Some(marker) = marker else { continue };
            // As a caller sends it back.
            let start = Cursor::resume(String::from(marker)).unwrap();
            let rest = tapes.walk(ListParams { start, max_items: None, ..second.clone() });
            let rest: Vec<_> = rest.into_iter().flat_map(|(rows, _)| rows).collect();
            prop_assert_eq!(&rest, &tapes.shown()[seen..]);
        }
    }

    #[test]
    fn a_cycle_of_markers_never_ends_in_success(before in 0..40_usize, length in 1..40_usize, from_marker: bool, filtered: bool) {
        let upstream = service_fn(move |call: AuthorizedCall<ListTapes>| async move {
            let page = call.operation.page.marker.as_ref().map_or(0, |marker| marker.as_str().parse::<usize>().unwrap());
            let next = if page + 1 < before + length { page + 1 } else { before };
            Ok::<_, Failure>(answer(0..1, Some(next.to_string())))
        });
        let start = if from_marker { Cursor::resume("0".into()).unwrap() } else { Cursor::default() };
        let mut walk = Paginator::new(upstream, all(), ListParams { start, ..ListParams::default() }, reader(!filtered));
        let most = 3 * (before + length) + 3;
        for _ in 0..most {
            match futures_util::FutureExt::now_or_never(walk.next()).unwrap() {
                Some(Ok(_)) => {}
                Some(Err(failure)) => {
                    prop_assert!(matches!(failure.fault, Fault::MarkerRepeated));
                    prop_assert!(futures_util::FutureExt::now_or_never(walk.next()).unwrap().is_none());
                    return Ok(());
                }
                None => prop_assert!(false, "the list ended as if it were whole"),
            }
        }
        prop_assert!(false, "{most} pages of {before} and a cycle of {length}, and no end");
    }
}
