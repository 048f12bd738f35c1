#pragma once

#include "models/architecture.h"

namespace st {

// ELECTRA (Clark et al. 2020): BERT whose embeddings may be narrower than its layers.
std::unique_ptr<Model> make_electra(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_electra(const Config& config);
ClassifierSpec classify_electra(const Config& config);

}  // namespace st
