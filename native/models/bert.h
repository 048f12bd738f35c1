#pragma once

#include "models/model.h"

namespace st {

// BERT (Devlin et al. 2019), post-norm with absolute positions: BertModel of transformers.
std::unique_ptr<Model> make_bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout);

}  // namespace st
