#include "engine/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_set>
#include <utility>

#include "core/device.h"
#include "core/error.h"
#include "core/yield.h"
#include "engine/token_table.h"
#include "models/architecture.h"
#include "models/splade_pooling.h"
#include "models/word_weights.h"
#include "ops/cuda.h"
#include "ops/linear.h"

namespace st {

namespace {
// Tokens that are encoded at once on the CPU: enough for the matrix products, and few enough for the data between two
// layers to stay in the caches.
constexpr int64_t kBlockTokens = 1024;
// The same of a table whose rows are averaged, and no more: a millisecond's work, which a query may wait for.
constexpr int64_t kTableTokens = 16 * 1024;

// A network's memory, for one pass. Whoever begins a pass meanwhile gets memory of its own. In the end the larger one
// is kept.
class Borrowed {
 public:
  Borrowed(Workspace& from, at::Device device) : from_(from), own_(std::exchange(from, Workspace(device))) {}
  ~Borrowed() {
    if (own_.bytes() > from_.bytes()) std::swap(own_, from_);
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Workspace& workspace() { return own_; }

 private:
  Workspace& from_;
  Workspace own_;
};

// The modules of each chain.
std::vector<std::vector<int64_t>> routes_of(const EncoderSpec& spec) {
  if (!spec.routes.empty()) return spec.routes;
  std::vector<int64_t> all(spec.modules.size());
  std::iota(all.begin(), all.end(), 0);
  return {all};
}

}  // namespace

Network::Network(const EncoderSpec& spec)
    : spec_(spec),
      device_(parse_device(spec.device)),
      compute_(parse_dtype(spec.dtype)),
      int8_(spec.dtype == "int8"),
      workspace_(device_),
      decoder_workspace_(device_) {
  check(!int8_ || (device_.is_cpu() && has_int8_products()), "ERR_UNSUPPORTED",
        "dtype int8 needs a processor with AVX512-VNNI (and SENTENCE_TORCH_CPU, if set, avx512 or amx)");
  Layout& layout = parameters_.layout;
  model_ = make_model(spec.architecture, spec.config, spec.pooler, "0.", layout);
  parameters_.token_table = model_->token_table();
  const std::string first_head = spec.modules.empty() ? "" : spec.modules[0].string("type");
  const bool reads_words = first_head == "LogitScore" || first_head == "SpladePooling";
  check(spec.decoder || reads_words || !spec.own_head, "ERR_INVALID_ARGUMENT",
        "ownHead is an option of a model with its decoder, with LogitScore or with SpladePooling");
  if (spec.decoder) {
    const SharedWords words{.table = model_->token_table(), .head = !spec.own_head};
    decoder_ = make_seq2seq_decoder(spec.architecture, spec.config, words, "0.", layout);
    generator_ = describe(spec.architecture, spec.config).generator;
  }
  std::map<int64_t, std::shared_ptr<Head>> shared;
  for (const std::vector<int64_t>& modules : routes_of(spec)) chains_.push_back(make_chain(modules, shared, layout));
  for (const Chain& chain : chains_) {
    check(chain.vectors == chains_[0].vectors, "ERR_INVALID_MODEL",
          "Expected routes that all have one embedding for each text, or all a vector for each token");
    check(chain.width == chains_[0].width, "ERR_INVALID_MODEL", "Expected routes to embeddings of one width but found ",
          chains_[0].width, " and ", chain.width);
  }
  layout.finish();
  bare_ = layout;
  bare_head_parameters_ = head_parameters_;
  // Not where a matrix is read as a master at each step: by a decoder's last layer, by a static table; nor in DeBERTa,
  // which takes no adapters either.
  waits_ =
      compute_ == at::kBFloat16 && !spec.decoder && !model_->sizes().takes_mean && spec.architecture != "deberta-v2";
  if (waits_) {
    layout = without_adapters();
    layout.finish();
  }
}

Network::Chain Network::make_chain(const std::vector<int64_t>& modules,
                                   std::map<int64_t, std::shared_ptr<Head>>& shared, Layout& layout) {
  Chain out;
  // What writes text needs no sentence embedding. A trainer reports on one.
  if (spec_.architecture == kWordWeights) {
    out.heads.push_back(make_word_presence(model_->sizes().vocabulary));
    out.width = out.heads.back()->width();
  } else if (model_->sizes().takes_mean) {
    out.heads.push_back(make_table_mean(model_->sizes().width, model_->token_table()));
    out.width = out.heads.back()->width();
  } else if (spec_.decoder && modules.empty()) {
    out.heads.push_back(make_mean_pooling(model_->sizes().width));
    out.width = out.heads.back()->width();
  }
  for (const int64_t index : modules) {
    check(index >= 0 && index < static_cast<int64_t>(spec_.modules.size()), "ERR_INVALID_ARGUMENT",
          "Expected modules from 0 to ", spec_.modules.size() - 1, " in a route but found ", index);
    const Config& spec = spec_.modules[static_cast<size_t>(index)];
    // One pass together with the pooling before it.
    if (!out.heads.empty() && spec.string("type") == "Normalize" && out.heads.back()->normalize()) continue;
    std::shared_ptr<Head>& known = shared[index];
    // Others are made anew: a Normalize changes the pooling before it.
    if (known == nullptr || known->parameters().empty()) {
      known = make_head_at(static_cast<size_t>(index), out.width, out.vectors, layout);
      for (ParamId id : known->parameters()) head_parameters_.push_back(id);
    }
    out.heads.push_back(known);
    if (const ParameterRows* rows = known->rows()) rows_ = *rows;
    const int64_t vectors = known->token_width();
    check(vectors > 0 ? out.vectors || out.width == 0 : !out.vectors, "ERR_NOT_IMPLEMENTED", "Module ", index + 1, ", ",
          spec.string("type"), ", is not built in this place: expected modules over the sentence embedding, from ",
          "Pooling on, or modules over token embeddings alone");
    out.vectors = vectors > 0;
    out.width = out.vectors ? vectors : known->width();
    reads_outputs_ = reads_outputs_ || known->reads_outputs();
    counts_passes_ = counts_passes_ || known->reconstructs();
  }
  check(out.width > 0, "ERR_INVALID_MODEL", "Expected a Pooling module after the transformer");
  return out;
}

std::unique_ptr<Head> Network::make_head_at(size_t index, int64_t width_in, bool vectors, Layout& layout) const {
  const Config& module = spec_.modules[index];
  const ModelSizes& sizes = model_->sizes();
  const std::string& type = module.string("type");
  // The tensors of these three come from the transformer's checkpoint.
  if (type == "SequenceClassification") {
    return make_classifier(spec_.architecture, spec_.config, module, "0.", sizes.width, layout);
  }
  if (type == "LogitScore") {
    check(spec_.modules.size() == 1, "ERR_INVALID_MODEL", "Expected LogitScore alone after the transformer");
    const SharedWords words{.table = model_->token_table(), .head = !spec_.own_head};
    return make_logit_score(spec_.architecture, spec_.config, module, words, "0.", sizes, layout);
  }
  if (type == "SpladePooling") {
    check(index == 0, "ERR_INVALID_MODEL", "Expected SpladePooling right after the transformer");
    const SharedWords words{.table = model_->token_table(), .head = !spec_.own_head};
    return make_splade_pooling(spec_.architecture, spec_.config, module, words, "0.", layout);
  }
  return make_head(module, std::to_string(index + 1) + ".", vectors ? width_in : sizes.width, width_in, layout);
}

void Network::prepare() {
  if (parameters_.flat().defined()) return;
  if (device_.is_cuda()) cuda::configure();
  parameters_.allocate(device_, compute_);
}

Initial Network::initial(const TensorInfo& info) const {
  const size_t dot = info.name.find('.');
  const size_t module = std::stoul(info.name.substr(0, dot));
  if (module > 0) return initial_of_module(spec_.modules[module - 1], info.name);
  return initial_of(spec_.architecture, spec_.config, info.name.substr(dot + 1), info.shape);
}

void Network::initialize(const std::vector<std::string>& names, uint64_t seed) {
  prepare();
  parameters_.settle();
  for (const std::string& name : names) {
    if (parameters_.layout.group(parameters_.layout.block_of(name)) == Group::kHalved) make_masters();
  }
  const std::unordered_set<std::string> wanted(names.begin(), names.end());
  const Layout& layout = parameters_.layout;
  for (const std::string& name : names) layout.span(name);  // throws for one that there is not
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  for (const TensorInfo& info : layout.tensors()) {
    if (wanted.count(info.name) == 0) continue;
    const at::Tensor values = parameters_.stored(info);
    const Initial start = initial(info);
    draw(start, values, generator);
    if (!start.has_padding) continue;
    for (const auto& [table, row] : model_->padding_rows()) {
      if (layout.view(parameters_.flat(), table).data_ptr() == values.data_ptr()) values.select(0, row).zero_();
    }
  }
  parameters_.refresh();
}

void Network::set_compute(at::ScalarType compute) {
  if (compute == compute_) return;
  compute_ = compute;
  parameters_.set_compute(compute);
}

bool Network::takes_fixed() const {
  return model_->sizes().positions >= 2 && std::all_of(chains_[0].heads.begin(), chains_[0].heads.end(),
                                                       [](const auto& head) { return head->takes_fixed(); });
}

bool Network::reconstructs() const {
  return std::all_of(chains_.begin(), chains_.end(),
                     [](const Chain& chain) { return !chain.heads.empty() && chain.heads.back()->reconstructs(); });
}

void Network::validate(const PackedBatch& batch) const {
  const ModelSizes& sizes = model_->sizes();
  batch.validate(sizes.vocabulary, sizes.token_types, sizes.positions, sizes.takes_mean);
}

at::Tensor Network::head_rows() const {
  if (!rows_) return {};
  if (rows_->matrix == parameters_.token_table) parameters_.settle(rows_->rows);
  return parameters_.rows_in_master(rows_->matrix, rows_->rows);
}

HeadState Network::run_heads(size_t chain, const Pass& pass, const at::Tensor& tokens_TD,
                             const std::vector<at::Tensor>& outputs_TD, const std::vector<at::Tensor>& parameters,
                             const at::Tensor& rows_KD, const LatentsWanted& latents) const {
  HeadState state{pass, tokens_TD, {}, outputs_TD, parameters, rows_KD};
  state.latents = latents;
  for (const auto& head : chains_[chain].heads) head->forward(state);
  if (is_multi_vector()) leave_hidden_out(state);
  return state;
}

at::Tensor Network::encode(const Rows& batch, EncoderOutput output, size_t chain, std::vector<int32_t>* counts,
                           int64_t active_dims) {
  const at::NoGradGuard no_grad;
  if (!device_.is_cpu()) return encode(Input(batch, device_), output, chain, counts, active_dims);
  const int64_t most = skips_tokens(output, chain) ? kTableTokens : kBlockTokens;
  std::vector<at::Tensor> blocks;
  for (int64_t begin = 0; begin < batch.rows();) {
    int64_t end = begin + 1;
    while (end < batch.rows() && batch.offsets[end + 1] - batch.offsets[begin] <= most) ++end;
    const bool all = begin == 0 && end == batch.rows();
    const Rows block = all ? Rows() : batch.slice(begin, end);
    blocks.push_back(encode(Input(all ? batch : block, device_), output, chain, counts, active_dims));
    begin = end;
    if (!all) yield_here();
  }
  return blocks.size() == 1 ? blocks[0] : at::cat(blocks, output == EncoderOutput::kHiddenStates ? 1 : 0);
}

bool Network::skips_tokens(EncoderOutput output, size_t chain) const {
  const auto& heads = chains_[chain].heads;
  // In another compute dtype token embeddings are rounded to that.
  return output == EncoderOutput::kSentenceEmbedding && device_.is_cpu() && compute_ == master_dtype(compute_) &&
         !heads.empty() && heads[0]->reads_table();
}

at::Tensor Network::encode(const Input& input, EncoderOutput output, size_t chain, std::vector<int32_t>* counts,
                           int64_t active_dims) {
  settle(input.batch, head_parameters_, parameters_);
  // Another encode() may run inside of this one.
  Borrowed memory(workspace_, device_);
  memory.workspace().reset();
  const Pass pass{.input = input,
                  .parameters = parameters_,
                  .workspace = memory.workspace(),
                  .int8 = int8_,
                  .outputs = reads_outputs_ || output == EncoderOutput::kHiddenStates};
  if (skips_tokens(output, chain)) {
    const std::vector<at::Tensor> parameters = parameters_.layout.views(parameters_.flat());
    return run_heads(chain, pass, {}, {}, parameters, head_rows(), {.active_dims = active_dims}).sentence_RD;
  }
  const std::unique_ptr<Model::Kept> kept = model_->make_kept();
  const at::Tensor tokens_TD = model_->forward(pass, *kept);
  const at::ScalarType master = master_dtype(compute_);
  std::vector<at::Tensor> outputs_TD;
  for (const at::Tensor& output_TD : kept->outputs_TD) outputs_TD.push_back(output_TD.to(master));
  if (output == EncoderOutput::kHiddenStates) return at::stack(outputs_TD);
  if (output == EncoderOutput::kPoolerOutput) return model_->pooler_output(pass, tokens_TD).to(master);
  // Copied, because the next block of rows overwrites the memory.
  const bool tokens = output == EncoderOutput::kTokenEmbeddings;
  if (tokens && !reads_outputs_) return tokens_TD.to(master, false, true);
  const std::vector<at::Tensor> parameters = parameters_.layout.views(parameters_.flat());
  const HeadState state =
      run_heads(chain, pass, tokens_TD.to(master), outputs_TD, parameters, head_rows(), {.active_dims = active_dims});
  if (output == EncoderOutput::kVectors) {
    for (size_t row = 0; row + 1 < state.offsets.size(); ++row) {
      counts->push_back(state.offsets[row + 1] - state.offsets[row]);
    }
    // Modules that change nothing leave the states where they were.
    return state.tokens_TD.is_alias_of(tokens_TD) ? state.tokens_TD.clone() : state.tokens_TD;
  }
  // A head that reads layers has made other token embeddings of them.
  return tokens ? state.tokens_TD : state.sentence_RD;
}

std::unique_ptr<Network> Network::copy() {
  auto out = std::make_unique<Network>(spec_);
  if (!waits_) out->make_masters();
  out->prepare();
  out->adapters_ = adapters_;
  out->active_adapter_ = active_adapter_;
  if (!adapters_.empty()) out->arrange();
  out->set_compute(compute_);
  parameters_.settle();
  out->parameters_.copy_values(parameters_);
  return out;
}

void Network::dispose() {
  parameters_.dispose();
  workspace_ = Workspace(device_);
  decoder_workspace_ = Workspace(device_);
}

}  // namespace st
