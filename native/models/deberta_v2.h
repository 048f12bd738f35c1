#pragma once

#include "models/architecture.h"

namespace st {

// DeBERTa v2 and v3 (He et al. 2021): post-norm layers whose attention reads relative positions, with the projections
// of queries and keys.
std::unique_ptr<Model> make_deberta_v2(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_deberta_v2(const Config& config);
ClassifierSpec classify_deberta_v2(const Config& config);

}  // namespace st
