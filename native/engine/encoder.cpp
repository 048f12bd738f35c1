#include "engine/encoder.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "core/error.h"
#include "core/profile.h"
#include "core/sizes.h"
#include "engine/encoder_impl.h"

namespace st {

Encoder::Encoder(const EncoderSpec& spec) : impl_(std::make_unique<Impl>(spec)) {}
Encoder::~Encoder() = default;

int64_t Encoder::embedding_dimension() const {
  return impl_->network.embedding_width();
}
int64_t Encoder::token_dimension() const {
  return impl_->network.model().sizes().width;
}
int64_t Encoder::max_positions() const {
  return impl_->network.model().sizes().positions;
}
int64_t Encoder::training_bytes_per_token() const {
  return impl_->network.model().kept_per_token(false, impl_->network.compute());
}
std::vector<TensorInfo> Encoder::tensors() const {
  return impl_->network.tensors();
}

onnx::Model Encoder::graph() const {
  return impl_->network.graph();
}

namespace {
void check_idle(const Network& network) {
  check(!network.is_passed(), "ERR_BUSY", "Weights are not loaded between the two halves of a training step");
}
}  // namespace

void Encoder::load(const std::vector<TensorRange>& ranges, bool last) {
  impl_->check_open();
  impl_->network.expect(ranges);
  Network& network = impl_->open();
  check_idle(network);
  Parameters& parameters = network.parameters();
  for (const TensorRange& range : ranges) parameters.load(range);
  if (last) parameters.refresh();
}

void Encoder::dump(const std::vector<TensorRange>& ranges, bool merged) {
  const Network& network = impl_->open();
  for (const TensorRange& range : ranges) {
    if (merged) {
      network.dump_merged(range);
    } else {
      network.parameters().dump(range);
    }
  }
}

Network& Encoder::Impl::untrained() {
  check(!has_trainer, "ERR_BUSY", "Adapters are not changed while a trainer trains the model: dispose it first");
  return open();
}

void Encoder::add_adapter(const AdapterSpec& spec, uint64_t seed) {
  impl_->untrained().add_adapter(spec, seed);
}
void Encoder::set_adapter(const std::string& name) {
  impl_->untrained().set_adapter(name);
}
void Encoder::delete_adapter(const std::string& name) {
  impl_->untrained().delete_adapter(name);
}
void Encoder::merge_adapter(const std::string& name) {
  impl_->untrained().merge_adapter(name);
}
std::vector<TensorInfo> Encoder::adapter_tensors(const std::string& name) const {
  return impl_->network.adapter_tensors(name);
}

void Encoder::initialize(const std::vector<std::string>& names, uint64_t seed) {
  Network& network = impl_->open();
  check_idle(network);
  network.initialize(names, seed);
}

void Encoder::encode(const PackedBatch& batch, EncoderOutput output, float* out, int64_t size) {
  const ProfileScope scope("encode");
  Network& network = impl_->open();
  network.validate(batch);
  check(!network.is_multi_vector() || output != EncoderOutput::kSentenceEmbedding, "ERR_INVALID_ARGUMENT",
        "The model has a vector for each token and no sentence embedding: expected vectors for output");
  const bool by_token = output == EncoderOutput::kTokenEmbeddings || output == EncoderOutput::kHiddenStates;
  const int64_t layers = output == EncoderOutput::kHiddenStates ? network.model().outputs() : 1;
  const int64_t rows = by_token ? batch.tokens() : batch.rows();
  const int64_t width = output == EncoderOutput::kSentenceEmbedding ? embedding_dimension() : token_dimension();
  check(size == checked_product("out", {layers, rows, width}), "ERR_INVALID_ARGUMENT", "Expected room for ",
        layers == 1 ? "" : std::to_string(layers) + " x ", rows, " x ", width, " values in out but found ", size);
  const at::Tensor found = network.encode(batch, output);
  at::from_blob(out, found.sizes(), at::kFloat).copy_(found);
}

void Encoder::encode_vectors(const PackedBatch& batch, float* out, int64_t size, int32_t* counts, int64_t rows) {
  const ProfileScope scope("encode");
  Network& network = impl_->open();
  network.validate(batch);
  check(network.is_multi_vector(), "ERR_INVALID_ARGUMENT",
        "The model has one embedding for each text: expected sentence_embedding for output");
  check(rows == batch.rows(), "ERR_INVALID_ARGUMENT", "Expected room for ", batch.rows(), " counts but found ", rows);
  check(size == checked_product("out", {batch.tokens(), embedding_dimension()}), "ERR_INVALID_ARGUMENT",
        "Expected room for ", batch.tokens(), " x ", embedding_dimension(), " values in out but found ", size);
  std::vector<int32_t> found;
  const at::Tensor vectors = network.encode(batch, EncoderOutput::kVectors, &found);
  at::from_blob(out, vectors.sizes(), at::kFloat).copy_(vectors);
  std::copy(found.begin(), found.end(), counts);
}

void Encoder::dispose() {
  if (impl_->disposed.exchange(true)) return;
  impl_->network.dispose();
}

}  // namespace st
