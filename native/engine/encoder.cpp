#include "engine/encoder.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/profile.h"
#include "core/sizes.h"
#include "engine/encoder_impl.h"

namespace st {

namespace {

std::vector<std::unique_ptr<Network>> make_networks(const EncoderSpec& spec) {
  std::vector<std::unique_ptr<Network>> out;
  out.push_back(std::make_unique<Network>(spec));
  for (EncoderSpec other : spec.others) {
    other.device = spec.device;
    other.dtype = spec.dtype;
    out.push_back(std::make_unique<Network>(other));
    const int64_t expected = out[0]->embedding_width(), found = out.back()->embedding_width();
    check(found == expected, "ERR_INVALID_MODEL", "Expected routes to embeddings of one width but found ", expected,
          " and ", found);
  }
  return out;
}

}  // namespace

Encoder::Impl::Impl(const EncoderSpec& spec) : networks(make_networks(spec)), network(*networks[0]) {
  for (size_t set = 0; set < networks.size(); ++set) {
    for (size_t chain = 0; chain < networks[set]->chains(); ++chain)
      routes.push_back({networks[set].get(), chain, set});
  }
}

Network& Encoder::Impl::network_of(std::string& name) const {
  const size_t colon = name.find(':');
  for (size_t set = networks.size() - 1; set > 0; --set) {
    if (colon == std::string::npos || name.compare(0, colon + 1, prefix(set)) != 0) continue;
    name.erase(0, colon + 1);
    return *networks[set];
  }
  return network;
}

void Encoder::Impl::validate(const RoutedBatch& batch) const {
  if (batch.routes.empty()) return network.validate(batch);
  // First what all columns have in common, so that they can be cut apart.
  ModelSizes most{};
  for (const auto& each : networks) {
    const ModelSizes& sizes = each->model().sizes();
    most.vocabulary = std::max(most.vocabulary, sizes.vocabulary);
    most.token_types = std::max(most.token_types, sizes.token_types);
    most.positions = std::max(most.positions, sizes.positions);
    most.takes_mean = most.takes_mean || sizes.takes_mean;
  }
  batch.validate(most.vocabulary, most.token_types, most.positions, most.takes_mean);
  check(static_cast<int64_t>(batch.routes.size()) == batch.columns, "ERR_INVALID_ARGUMENT", "Expected ", batch.columns,
        " routes, one for each column, but found ", batch.routes.size());
  const int64_t rows = batch.rows() / batch.columns;
  for (int64_t c = 0; c < batch.columns; ++c) {
    const int32_t route = batch.routes[static_cast<size_t>(c)];
    check(route >= 0 && route < static_cast<int64_t>(routes.size()), "ERR_INVALID_ARGUMENT",
          "Expected routes from 0 to ", routes.size() - 1, " but found ", route);
    const ModelSizes& sizes = routes[static_cast<size_t>(route)].network->model().sizes();
    batch.slice(c * rows, (c + 1) * rows)
        .validate(sizes.vocabulary, sizes.token_types, sizes.positions, sizes.takes_mean);
  }
}

std::vector<Route> Encoder::Impl::routes_of(const RoutedBatch& batch) const {
  std::vector<Route> out(static_cast<size_t>(batch.columns), routes[0]);
  for (size_t c = 0; c < batch.routes.size(); ++c) out[c] = routes[static_cast<size_t>(batch.routes[c])];
  return out;
}

at::Tensor Encoder::Impl::encode(const RoutedBatch& batch, EncoderOutput output) const {
  const std::vector<Route> columns = routes_of(batch);
  const auto one = [&](const Route& route, const Rows& rows) {
    return route.network->encode(rows, output, route.chain, nullptr, batch.active_dims);
  };
  if (std::all_of(columns.begin(), columns.end(), [&](const Route& route) { return route == columns[0]; })) {
    return one(columns[0], batch);
  }
  const int64_t rows = batch.rows() / batch.columns;
  std::vector<at::Tensor> parts;
  for (int64_t c = 0; c < batch.columns; ++c) {
    parts.push_back(one(columns[static_cast<size_t>(c)], batch.slice(c * rows, (c + 1) * rows)));
  }
  return at::cat(parts);
}

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
  return impl_->network.kept_per_token(false, impl_->network.compute());
}
std::vector<TensorInfo> Encoder::tensors() const {
  std::vector<TensorInfo> out;
  for (size_t set = 0; set < impl_->networks.size(); ++set) {
    for (TensorInfo& info : impl_->networks[set]->tensors()) {
      info.name.insert(0, Impl::prefix(set));
      if (!info.block.empty()) info.block.insert(0, Impl::prefix(set));
      out.push_back(std::move(info));
    }
  }
  return out;
}

onnx::Model Encoder::graph() const {
  check(impl_->routes.size() == 1, "ERR_NOT_IMPLEMENTED", "A model with several routes is not built for ONNX files");
  return impl_->network.graph();
}

namespace {
void check_idle(const std::vector<std::unique_ptr<Network>>& networks) {
  const bool passed = std::any_of(networks.begin(), networks.end(), [](const auto& each) { return each->is_passed(); });
  check(!passed, "ERR_BUSY", "Weights are not loaded between the two halves of a training step");
}
}  // namespace

void Encoder::load(const std::vector<TensorRange>& ranges, bool last) {
  impl_->check_open();
  std::map<Network*, std::vector<TensorRange>> by_network;
  for (TensorRange range : ranges) {
    Network& network = impl_->network_of(range.name);
    by_network[&network].push_back(std::move(range));
  }
  for (const auto& [network, own] : by_network) network->expect(own);
  impl_->open();
  check_idle(impl_->networks);
  for (const auto& [network, own] : by_network) {
    for (const TensorRange& range : own) network->parameters().load(range);
  }
  if (!last) return;
  for (const auto& network : impl_->networks) network->parameters().refresh();
}

void Encoder::dump(const std::vector<TensorRange>& ranges, bool merged) {
  impl_->open();
  for (TensorRange range : ranges) {
    const Network& network = impl_->network_of(range.name);
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
  impl_->open();
  check_idle(impl_->networks);
  std::map<Network*, std::vector<std::string>> by_network;
  for (std::string name : names) {
    Network& network = impl_->network_of(name);
    by_network[&network].push_back(std::move(name));
  }
  for (const auto& [network, own] : by_network) network->initialize(own, seed);
}

namespace {
// On this thread where nothing is to be converted: LibTorch would wake all of them, which wait longer than they copy.
void copy_to(float* out, const at::Tensor& values) {
  if (values.is_cpu() && values.scalar_type() == at::kFloat && values.is_contiguous()) {
    std::copy_n(values.const_data_ptr<float>(), values.numel(), out);
  } else {
    at::from_blob(out, values.sizes(), at::kFloat).copy_(values);
  }
}
}  // namespace

void Encoder::encode(const RoutedBatch& batch, EncoderOutput output, float* out, int64_t size) {
  const ProfileScope scope("encode");
  impl_->open();
  impl_->validate(batch);
  Network& network = *impl_->routes_of(batch)[0].network;
  check(!network.is_multi_vector() || output != EncoderOutput::kSentenceEmbedding, "ERR_INVALID_ARGUMENT",
        "The model has a vector for each token and no sentence embedding: expected vectors for output");
  const bool by_token = output == EncoderOutput::kTokenEmbeddings || output == EncoderOutput::kHiddenStates;
  const int64_t layers = output == EncoderOutput::kHiddenStates ? network.model().outputs() : 1;
  const int64_t rows = by_token ? batch.tokens() : batch.rows();
  const int64_t width =
      output == EncoderOutput::kSentenceEmbedding ? embedding_dimension() : network.model().sizes().width;
  check(size == checked_product("out", {layers, rows, width}), "ERR_INVALID_ARGUMENT", "Expected room for ",
        layers == 1 ? "" : std::to_string(layers) + " x ", rows, " x ", width, " values in out but found ", size);
  copy_to(out, impl_->encode(batch, output));
}

void Encoder::encode_vectors(const RoutedBatch& batch, float* out, int64_t size, int32_t* counts, int64_t rows) {
  const ProfileScope scope("encode");
  impl_->open();
  impl_->validate(batch);
  Network& network = *impl_->routes_of(batch)[0].network;
  check(network.is_multi_vector(), "ERR_INVALID_ARGUMENT",
        "The model has one embedding for each text: expected sentence_embedding for output");
  check(rows == batch.rows(), "ERR_INVALID_ARGUMENT", "Expected room for ", batch.rows(), " counts but found ", rows);
  check(size == checked_product("out", {batch.tokens(), embedding_dimension()}), "ERR_INVALID_ARGUMENT",
        "Expected room for ", batch.tokens(), " x ", embedding_dimension(), " values in out but found ", size);
  std::vector<int32_t> found;
  const at::Tensor vectors = network.encode(batch, EncoderOutput::kVectors, 0, &found);
  copy_to(out, vectors);
  std::copy(found.begin(), found.end(), counts);
}

void Encoder::dispose() {
  if (impl_->disposed.exchange(true)) return;
  for (const auto& network : impl_->networks) network->dispose();
}

}  // namespace st
