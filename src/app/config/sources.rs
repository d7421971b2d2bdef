use std::{mem, path::Path};

use super::{
    Faults, Given, Layer, Place, SETTINGS, Variables, environment, file,
    table::Rows,
    values::{Values, defaults},
};

/// What each source gives, before anything is judged.
pub(crate) struct Sources {
    /// The first wins over the rest.
    given: [Layer; 3],
    rows: Rows,
    aws_region: Layer,
    faults: Faults,
    /// Whether there is a file that could not be read.
    partial: bool,
}

impl Sources {
    /// Reads the file, if there is one, and the variables, to lie under `flags`.
    pub(crate) fn collect(
        flags: Layer,
        variables: &Variables,
        file: Option<&Path>,
        mut faults: Faults,
    ) -> Self {
        let file = file.map_or_else(
            || Some(file::Content::default()),
            |path| file::read(path, &mut faults),
        );
        let partial = file.is_none();
        let file::Content { layer, rows } = file.unwrap_or_default();
        let given = [flags, environment::read(variables, &mut faults), layer];
        Self {
            given,
            rows,
            aws_region: environment::aws_region(variables),
            faults,
            partial,
        }
    }

    /// The values that win.
    pub(crate) fn values(self) -> Values {
        self.values_over(Layer::new())
    }

    /// The values that win, with the region that AWS's own tools would take if none is given.
    pub(crate) fn values_in_aws(mut self) -> Values {
        let aws_region = mem::take(&mut self.aws_region);
        self.values_over(aws_region)
    }

    /// The values that win for `command`, which has defaults of its own.
    pub(crate) fn values_for(
        self,
        command: &'static str,
        presets: &[(&'static str, &'static str)],
    ) -> Values {
        let given = |text| Given::one(Place::Preset(command), text);
        self.values_over(presets.iter().map(|(key, text)| (*key, given(*text))).collect())
    }

    /// The values that win, with those of `fallback` where nobody gave one.
    fn values_over(self, mut fallback: Layer) -> Values {
        // A fallback that is not needed is not judged either.
        fallback.retain(|key, _| !self.given.iter().any(|layer| layer.contains_key(key)));
        Values::new(
            self.given.into_iter().chain([fallback, defaults(SETTINGS)]),
            self.rows,
            self.faults,
            self.partial,
        )
    }
}
