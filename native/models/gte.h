#pragma once

#include "models/architecture.h"

namespace st {

// GTE (Zhang et al. 2024): `gte` of transformers, `new` of the files on the hub.
std::unique_ptr<Model> make_gte(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_gte(const Config& config);
ClassifierSpec classify_gte(const Config& config);
// Of the Python code beside files on the hub.
std::vector<std::string_view> gte_classes();

}  // namespace st
