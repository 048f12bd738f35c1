#include "models/splade_pooling.h"

#include <ATen/core/grad_mode.h>

#include "core/error.h"
#include "models/architecture.h"
#include "models/language_model.h"
#include "ops/linear.h"
#include "ops/vocabulary_pool.h"

namespace st {

namespace {

// Which of two values a member of the module has.
bool is_second(const Config& module, const char* key, const char* first, const char* second) {
  const std::string value = module.string(key, first);
  check(value == first || value == second, "ERR_INVALID_MODEL", "Expected ", first, " or ", second, " for ", key,
        " of SpladePooling but found ", value);
  return value == second;
}

class SpladePooling : public Head {
 public:
  SpladePooling(const Config& module, const LanguageModelSpec& spec, const SharedWords& words,
                const std::string& prefix, Layout& layout)
      : pool_{.sum = is_second(module, "pooling", "max", "sum"),
              .twice = is_second(module, "activation", "relu", "log1p_relu")},
        words_(spec.vocabulary),
        first_(layout.count()),
        network_(layout, prefix, spec.prefix, spec.initial),
        layers_(network_, spec, words.head),
        table_(words.table),
        table_name_(prefix + spec.table),
        matrix_(words.head ? words.table : layout.block_of(prefix + spec.layers.last + ".weight")) {
    for (ParamId id = first_; id < layout.count(); ++id) parameters_.push_back(id);
    if (words.head) parameters_.push_back(table_);
  }

  void forward(HeadState& state) const override {
    const std::map<std::string, at::Tensor> table = {{table_name_, state.parameters[table_]}};
    const VocabularyLayer layer = layers_.last_layer(network_, {state.parameters, table}, state.tokens_TD);
    state.sentence_RD = vocabulary_pool(layer, state.pass.input.batch.offsets, pool_, packed(state.pass, layer));
  }
  bool add_to(HeadGraph&) const override {
    fail("ERR_NOT_IMPLEMENTED", "The export of SpladePooling to ONNX is not built");
  }
  int64_t width() const override { return words_; }
  std::vector<ParamId> parameters() const override { return parameters_; }
  // Its rows' offsets lie on the host.
  bool takes_fixed() const override { return false; }

 private:
  // The last layer's matrix as kernels read it, made once for all passes that do not train.
  at::Tensor packed(const Pass& pass, const VocabularyLayer& layer) const {
    const at::Tensor& x_TD = layer.x_TD;
    if (pass.training || !pass.keeps_packed || pool_.sum || x_TD.scalar_type() != at::kFloat) return {};
    const int64_t rows = x_TD.size(0);
    return pass.parameters.derived(matrix_, packing_way(rows), [&](Workspace& workspace) {
      const at::NoGradGuard no_grad;
      return x_TD.is_cpu() ? pack_weight(layer.weight_VD, rows, workspace) : at::Tensor();
    });
  }

  VocabularyPool pool_;
  int64_t words_;
  ParamId first_;
  OwnNetwork network_;
  PredictionLayers layers_;
  ParamId table_;
  std::string table_name_;
  ParamId matrix_;
  std::vector<ParamId> parameters_;
};

}  // namespace

std::unique_ptr<Head> make_splade_pooling(const std::string& type, const Config& config, const Config& module,
                                          const SharedWords& words, const std::string& prefix, Layout& layout) {
  const std::optional<LanguageModelSpec> spec = describe(type, config).language_model;
  check(spec.has_value(), "ERR_NOT_IMPLEMENTED", "The masked language model of model_type ", type, " is not built yet");
  return std::make_unique<SpladePooling>(module, *spec, words, prefix, layout);
}

}  // namespace st
