use std::time::Duration;

use tokio::{
    sync::Mutex,
    task::{JoinError, spawn_blocking},
    time::{Instant, sleep_until},
};

/// The least time from one rendering of a page to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// Renders a page at most once per [`INTERVAL`], whatever is asked for it, and not on a thread that
/// serves calls. All who ask during the interval wait for the same rendering, which begins after they
/// asked: no answer is older than its request.
#[derive(Debug)]
pub(super) struct Rendering<T>(Mutex<Last<T>>);

#[derive(Debug)]
struct Last<T> {
    began: Option<Instant>,
    page: Option<T>,
}

impl<T> Default for Rendering<T> {
    fn default() -> Self {
        Self(Mutex::new(Last {
            began: None,
            page: None,
        }))
    }
}

impl<T: Clone + Send + 'static> Rendering<T> {
    /// The page, as `render` makes it from now on.
    ///
    /// # Errors
    ///
    /// If `render` panicked.
    pub(super) async fn page(&self, render: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some(began) = last.began {
            if let Some(page) = &last.page
                && began > asked
            {
                return Ok(page.clone());
            }
            sleep_until(began + INTERVAL).await;
        }
        // Before it is rendered, so that a client that leaves meanwhile does not cause another one.
        *last = Last {
            began: Some(Instant::now()),
            page: None,
        };
        let page = spawn_blocking(render).await?;
        last.page = Some(page.clone());
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_within_an_interval_share_one_rendering_that_is_not_older_than_they() {
        let rendering = Rendering::default();
        let count = Arc::new(AtomicU32::new(0));
        let render = || {
            let count = count.clone();
            move || count.fetch_add(1, Ordering::SeqCst) + 1
        };
        let began = Instant::now();
        assert_eq!(rendering.page(render()).await.expect("no panic"), 1);
        let asked = (0..100).map(|_| rendering.page(render()));
        for page in join_all(asked).await {
            assert_eq!(page.expect("no panic"), 2);
        }
        assert_eq!(began.elapsed(), INTERVAL);
        tokio::time::advance(2 * INTERVAL).await;
        let at_once = Instant::now();
        assert_eq!(rendering.page(render()).await.expect("no panic"), 3);
        assert_eq!(at_once.elapsed(), Duration::ZERO);
    }
}
