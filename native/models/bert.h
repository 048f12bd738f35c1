#pragma once

#include "models/classification_head.h"
#include "models/description.h"
#include "models/model.h"

namespace st {

// BERT (Devlin et al. 2019), post-norm with absolute positions: BertModel of transformers.
std::unique_ptr<Model> make_bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_bert(const Config& config);
ClassifierSpec classify_bert(const Config& config);
LanguageModelSpec masked_bert(const Config& config, const TransformerSizes& sizes);

}  // namespace st
