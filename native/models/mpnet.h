#pragma once

#include "models/architecture.h"

namespace st {

// MPNet (Song et al. 2020): BERT without types, with positions from the padding token on and a bias of attention by
// distance.
std::unique_ptr<Model> make_mpnet(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_mpnet(const Config& config);
ClassifierSpec classify_mpnet(const Config& config);

}  // namespace st
