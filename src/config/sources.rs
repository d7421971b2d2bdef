use std::path::Path;

use super::{Faults, Given, Layer, Place, SETTINGS, Variables, environment, file, values::Values};

/// What each source gives, before anything is judged.
pub(crate) struct Sources {
    flags: Layer,
    variables: Layer,
    file: Layer,
    aws: Layer,
    faults: Faults,
}

impl Sources {
    /// Reads the file, if there is one, and the variables, to lie under `flags`.
    pub(crate) fn collect(
        flags: Layer,
        variables: &Variables,
        file: Option<&Path>,
        mut faults: Faults,
    ) -> Self {
        Self {
            flags,
            variables: environment::read(variables, &mut faults),
            file: file.map(|path| file::read(path, &mut faults)).unwrap_or_default(),
            aws: environment::aws_region(variables, &mut faults),
            faults,
        }
    }

    /// The values that win.
    pub(crate) fn values(self) -> Values {
        let layers = [self.flags, self.variables, self.file, self.aws, defaults()];
        Values::new(SETTINGS, layers, self.faults)
    }

    /// The values that win for `command`, which has defaults of its own and needs none of AWS.
    pub(crate) fn values_with(
        self,
        command: &'static str,
        presets: &[(&'static str, &'static str)],
    ) -> Values {
        let presets = presets
            .iter()
            .map(|(key, text)| (*key, Given::one(Place::Preset(command), *text)))
            .collect();
        let layers = [self.flags, self.variables, self.file, presets, defaults()];
        Values::new(SETTINGS, layers, self.faults)
    }
}

fn defaults() -> Layer {
    SETTINGS
        .iter()
        .filter_map(|setting| Some((setting.key(), Given::one(Place::Default, setting.default()?))))
        .collect()
}
