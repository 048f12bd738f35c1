#pragma once

#include "models/architecture.h"

namespace st {

// DistilBERT (Sanh et al. 2019): half of BERT's layers, without types and without dropout behind attention's
// projection.
std::unique_ptr<Model> make_distilbert(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_distilbert(const Config& config);
ClassifierSpec classify_distilbert(const Config& config);
Initial initial_distilbert(const Config& config, const std::string& name, const std::vector<int64_t>& shape);

}  // namespace st
