#include "models/architecture.h"

#include <algorithm>

#include "core/error.h"
#include "core/model_config.h"
#include "models/logit_score.h"

namespace st {

namespace {

std::string list_of_types() {
  std::string out;
  for (const Architecture& one : architectures()) out += (out.empty() ? "" : ", ") + std::string(one.type);
  return out;
}

// The classes that auto_map names: of "owner/model--modeling_x.Model" it is Model.
std::vector<std::string> classes_of(const Config& config) {
  std::vector<std::string> out;
  const Config::Object* map = config.has("auto_map") ? config.member("auto_map").if_object() : nullptr;
  if (map == nullptr) return out;
  const auto add = [&out](const Config& value) {
    if (const std::string* path = value.if_string()) out.push_back(path->substr(path->rfind('.') + 1));
  };
  for (const auto& [task, value] : *map) {
    add(value);
    // Two tokenizers, one of which may be null.
    if (const Config::Array* several = value.if_array()) {
      for (const Config& one : *several) add(one);
    }
  }
  return out;
}

const Architecture& find_architecture(const std::string& type, const Config& config) {
  for (const Architecture& one : architectures()) {
    if (one.type == type) return one;
  }
  check(classes_of(config).empty(), "ERR_UNSUPPORTED",
        "config.json has auto_map: the model runs Python code of its own (trust_remote_code), which Node cannot. "
        "Choose a model of a standard architecture (",
        list_of_types(), ")");
  fail("ERR_NOT_IMPLEMENTED", "config.json has model_type ", Config(type).shown(), "; built are: ", list_of_types());
}

// Of every architecture.
void refuse(const Architecture& architecture, const Config& config) {
  for (const std::string& name : classes_of(config)) {
    const auto& own = architecture.own_classes;
    check(std::find(own.begin(), own.end(), name) != own.end(), "ERR_UNSUPPORTED", "config.json has auto_map with ",
          name, ", Python code of the model's own (trust_remote_code), which Node cannot run: its model_type ",
          architecture.type, " is another model. Choose a model of a standard architecture (", list_of_types(), ")");
  }
  const ModelConfig model(config);
  if (model.has("quantization_config")) model.not_built("quantization_config", "weights of float types");
}

}  // namespace

Description describe(const std::string& type, const Config& config) {
  const Architecture& architecture = find_architecture(type, config);
  refuse(architecture, config);
  Description out = architecture.describe(config);
  architecture.initial(config, "", {1, 1});  // what only a new tensor reads is checked, too
  if (architecture.classifier != nullptr) out.classifier = names_of(architecture.classifier(config));
  return out;
}

std::unique_ptr<Model> make_model(const std::string& type, const Config& config, bool pooler, const std::string& prefix,
                                  Layout& layout) {
  describe(type, config);  // refuses what is not built
  return find_architecture(type, config).make(config, pooler, prefix, layout);
}

std::unique_ptr<Head> make_classifier(const std::string& type, const Config& config, const Config& module,
                                      const std::string& prefix, int64_t token_width, Layout& layout) {
  const Architecture& architecture = find_architecture(type, config);
  check(architecture.classifier != nullptr, "ERR_NOT_IMPLEMENTED", "A classifier for model_type ", type,
        " is not built yet");
  return make_classification_head(architecture.classifier(config), module, prefix, token_width, layout);
}

std::unique_ptr<Head> make_logit_score(const std::string& type, const Config& config, const Config& module,
                                       const SharedWords& words, const std::string& prefix, const ModelSizes& sizes,
                                       Layout& layout) {
  const std::optional<CausalSpec> causal = describe(type, config).causal;
  check(causal.has_value(), "ERR_NOT_IMPLEMENTED", "The model for the next token of model_type ", type,
        " is not built yet");
  const std::vector<int64_t> shape = {sizes.vocabulary, sizes.width};
  const ParamId matrix = words.head ? words.table : layout.add(prefix + causal->head, shape, Group::kDecay);
  return make_logit_score_head(module, matrix, sizes.vocabulary, causal->softcap);
}

std::unique_ptr<Decoder> make_seq2seq_decoder(const std::string& type, const Config& config, const SharedWords& words,
                                              const std::string& prefix, Layout& layout) {
  const Architecture& architecture = find_architecture(type, config);
  check(architecture.decoder != nullptr, "ERR_UNSUPPORTED", "A model of model_type ", type,
        " is an encoder alone: it writes no text");
  return architecture.decoder(config, words, prefix, layout);
}

Initial initial_of(const std::string& type, const Config& config, const std::string& name,
                   const std::vector<int64_t>& shape) {
  return find_architecture(type, config).initial(config, name, shape);
}

Description description_of(const TransformerSizes& sizes, const std::string& layers_key, int64_t longest,
                           int64_t token_types) {
  Description out;
  out.width = sizes.width;
  out.vocabulary = sizes.vocabulary;
  out.token_types = token_types;
  out.positions = longest;
  out.layers = sizes.layers;
  out.layers_key = layers_key;
  out.names.heads = usual_heads();
  return out;
}

std::vector<std::string> usual_prefixes(const std::vector<std::string>& own) {
  std::vector<std::string> out = {"model.", "0.model.", "0.auto_model."};
  for (const std::string& name : own) {
    if (name == "model.") continue;
    for (const char* before : {"", "model.", "0.auto_model."}) out.push_back(before + name);
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return out;
}

std::vector<Rename> old_norm_names() {
  return {{"*LayerNorm.gamma", "*LayerNorm.weight"}, {"*LayerNorm.beta", "*LayerNorm.bias"}};
}

std::vector<std::string> usual_heads() {
  return {"classifier",
          "pre_classifier",
          "sop_classifier",
          "score",
          "qa_outputs",
          "sequence_summary",
          "logit_scale",
          "lm_head",
          "predictions",
          "vocab_transform",
          "vocab_layer_norm",
          "vocab_projector",
          "seq_relationship",
          "discriminator_predictions",
          "generator_predictions",
          "generator_lm_head"};
}

}  // namespace st
