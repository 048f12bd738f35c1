#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/layout.h"
#include "core/sizes.h"
#include "models/classification_head.h"
#include "models/description.h"
#include "models/initial.h"
#include "models/model.h"
#include "models/seq2seq.h"

namespace st {

// What the engine knows of one `model_type` of config.json.
struct Architecture {
  std::string_view type;
  // Throws for what is wrong in a config.json (ERR_INVALID_MODEL) or not built (ERR_NOT_IMPLEMENTED), see ModelConfig.
  Description (*describe)(const Config& config);
  std::unique_ptr<Model> (*make)(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
  // The head of transformers' …ForSequenceClassification; null: not built.
  ClassifierSpec (*classifier)(const Config& config) = nullptr;
  // Classes of Python code beside a model (`auto_map` of config.json) that compute the same.
  std::vector<std::string_view> own_classes = {};
  // The values of a new tensor, by its name without the number of the module.
  Initial (*initial)(const Config& config, const std::string& name, const std::vector<int64_t>& shape) = usual_initial;
  // The decoder of its model for text to text; null: there is none.
  std::unique_ptr<Decoder> (*decoder)(const Config& config, const SharedWords& words, const std::string& prefix,
                                      Layout& layout) = nullptr;
};

// One for each model_type that is built.
const std::vector<Architecture>& architectures();

// Checks a config.json and describes its model. Nothing is allocated, whatever sizes it asks for.
Description describe(const std::string& type, const Config& config);
// The module `SequenceClassification`, made as the architecture has it. Its tensors lie under `prefix`.
std::unique_ptr<Head> make_classifier(const std::string& type, const Config& config, const Config& module,
                                      const std::string& prefix, int64_t token_width, Layout& layout);
// The module `LogitScore` over the model for the next token. Its last layer is `words`, or lies under `prefix`.
std::unique_ptr<Head> make_logit_score(const std::string& type, const Config& config, const Config& module,
                                       const SharedWords& words, const std::string& prefix, const ModelSizes& sizes,
                                       Layout& layout);
std::unique_ptr<Decoder> make_seq2seq_decoder(const std::string& type, const Config& config, const SharedWords& words,
                                              const std::string& prefix, Layout& layout);
// The values of a new tensor of a model or its classifier.
Initial initial_of(const std::string& type, const Config& config, const std::string& name,
                   const std::vector<int64_t>& shape);

// Of a transformer with these sizes; `layers_key`: what config.json calls the number of layers.
Description description_of(const TransformerSizes& sizes, const std::string& layers_key, int64_t longest,
                           int64_t token_types);
// Prefixes that sentence-transformers and transformers put in front of an architecture's own, such as "bert.", the
// longest first.
std::vector<std::string> usual_prefixes(const std::vector<std::string>& own);
// LayerNorm.gamma and LayerNorm.beta, as files of the first years have it.
std::vector<Rename> old_norm_names();
// What classes of transformers for tasks call their heads.
std::vector<std::string> usual_heads();

}  // namespace st
