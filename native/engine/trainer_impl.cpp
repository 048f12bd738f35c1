#include "engine/trainer_impl.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/index_select.h>

#include <algorithm>

#include "core/device.h"
#include "core/error.h"
#include "core/profile.h"
#include "core/upload.h"
#include "engine/device_updater.h"
#include "engine/gathered.h"
#include "ops/cuda.h"

namespace st {

namespace {

// A loss that reads more than embeddings reads it of one network.
void check_routes(const std::string& loss, const LossNeeds& needs, const Encoder::Impl& encoder) {
  const bool reads = needs.layers || needs.tokens || needs.encoder || needs.decoder || needs.reconstruction;
  check(!(needs.twin && encoder.routes.size() > 1) && !(reads && encoder.networks.size() > 1), "ERR_NOT_IMPLEMENTED",
        "The loss ", loss, " reads more of the model than its embeddings: with several routes it is not built");
}

}  // namespace

Trainer::Impl::Impl(std::shared_ptr<Encoder> shared, const TrainerSpec& given)
    : encoder(std::move(shared)), spec(given) {
  encoder->impl().check_open();
  const Network& network = encoder->impl().network;
  encoder_precision = network.compute();
  const at::ScalarType master = master_dtype(encoder_precision);
  precision = spec.precision.empty()        ? encoder_precision
              : spec.precision == "float16" ? at::kHalf
                                            : parse_dtype(spec.precision);
  check(precision != at::kHalf || !network.device().is_cpu() || spec.without_waiting, "ERR_UNSUPPORTED",
        "float16 computes on a GPU alone: train on the CPU in float32 or bfloat16");
  check(!spec.loss_scaler || !spec.compat_loss_gradients, "ERR_NOT_IMPLEMENTED",
        "Gradients of losses that are never zeroed are not built with a loss scaler");
  check(!network.int8(), "ERR_UNSUPPORTED",
        "A model of dtype int8 encodes but is not trained: load it with float32 or bfloat16");
  check(master_dtype(precision) == master, "ERR_INVALID_ARGUMENT", "A float64 encoder cannot train in ",
        spec.precision);
  check(!spec.losses.empty(), "ERR_INVALID_ARGUMENT", "Expected at least one loss");
  for (const NamedLoss& loss : spec.losses) {
    losses.push_back(std::make_unique<OwnedLoss>(loss.name, loss.spec, encoder->embedding_dimension(), network.device(),
                                                 master, spec.seed));
    has_twin = has_twin || losses.back()->loss->needs().twin;
    const bool vectors = losses.back()->loss->needs().vectors;
    check(vectors == network.is_multi_vector(), "ERR_INVALID_ARGUMENT", "The loss ", loss.spec.string("type"),
          vectors ? " compares the vectors of all tokens, but the model has one embedding for each text"
                  : " compares one embedding for each text, but the model has a vector for each token");
    check(!losses.back()->loss->needs().decoder || network.decoder() != nullptr, "ERR_INVALID_ARGUMENT", "The loss ",
          loss.spec.string("type"), " trains a model with its decoder, but this one is an encoder alone");
    check(!losses.back()->loss->needs().reconstruction || network.reconstructs(), "ERR_INVALID_ARGUMENT", "The loss ",
          loss.spec.string("type"),
          " reads what a SparseAutoEncoder makes of its latents, but the model does not end in one");
    check_routes(loss.spec.string("type"), losses.back()->loss->needs(), encoder->impl());
  }
  optimizer_state_names(spec.optimizer);
  if (spec.ranks != nullptr) {
    check(spec.ranks->takes(network.device()), "ERR_INVALID_ARGUMENT", "The model computes on ", network.device().str(),
          ", which the processes that are to train it do not send from: useDevice() comes first");
    replicas.emplace(spec.ranks);
  }
  graphs = spec.graphs;
  if (graphs == nullptr && network.device().is_cuda() && cuda::use_graphs()) {
    graphs = std::make_shared<StepGraphs>(network.device());
  }
  sets.weight_decays = {spec.weight_decay, 0};
  sets.max_grad_norm = spec.max_grad_norm;
  sets.compat_loss_gradients = spec.compat_loss_gradients;
}

Network& Trainer::Impl::open() {
  check(!disposed, "ERR_DISPOSED", "The trainer was disposed");
  return encoder->impl().open();
}

bool Trainer::Impl::is_frozen(const std::string& name) const {
  const auto found = groups.find(name);
  return found != groups.end() && found->second < 0;
}

void Trainer::Impl::prepare() {
  if (!sets.all.empty()) return;
  Network& network = open();
  const auto& networks = encoder->impl().networks;
  for (size_t set = 0; set < networks.size(); ++set) {
    networks[set]->make_masters();
    networks[set]->set_compute(precision);
    const std::string prefix = Encoder::Impl::prefix(set);
    networks[set]->freeze([&](const std::string& name) { return is_frozen(prefix + name); });
  }
  const bool queued = spec.without_waiting || spec.loss_scaler || !network.device().is_cpu();
  const auto add = [&](Parameters& parameters, const std::string& prefix) {
    sets.all.push_back(std::make_unique<Trained>(parameters, prefix, spec.optimizer, queued));
    sets.all.back()->set_groups(groups);
  };
  for (size_t set = 0; set < networks.size(); ++set) add(networks[set]->parameters(), Encoder::Impl::prefix(set));
  if (has_twin) {
    twin = network.copy();
    twin->freeze([&](const std::string& name) { return is_frozen(kTwinPrefix + name); });
    add(twin->parameters(), kTwinPrefix);
  }
  for (auto& loss : losses) add(loss->parameters, "");
  if (replicas) replicas->watch_weights(sets);
  if (spec.loss_scaler) scaler.emplace(network.device());
  if (queued) {
    updater = std::make_unique<DeviceUpdater>(network.device(), static_cast<int64_t>(sets.weight_decays.size()),
                                              scaler ? &*scaler : nullptr);
  } else {
    updater = make_host_updater();
  }
}

const OwnedLoss& Trainer::Impl::loss_at(int64_t index) const {
  check(index >= 0 && index < static_cast<int64_t>(losses.size()), "ERR_INVALID_ARGUMENT", "Expected a loss from 0 to ",
        losses.size() - 1, " but found ", index);
  return *losses[static_cast<size_t>(index)];
}

void Trainer::Impl::check_rates(const StepOptions& options) const {
  check(options.rates.size() == 1 || options.rates.size() == sets.weight_decays.size(), "ERR_INVALID_ARGUMENT",
        "Expected one rate or ", sets.weight_decays.size(), ", one per group, but found ", options.rates.size());
}

Trainer::Impl::Pending Trainer::Impl::forward(const RoutedBatch& batch, const StepOptions& options) {
  const ProfileScope scope("forward");
  check_rates(options);
  const Timer timer(counted.forward_ms);
  const LossNeeds needs = loss_at(options.loss).loss->needs();
  std::vector<Route> routes = encoder->impl().routes_of(batch);
  if (needs.twin) routes[0] = {twin.get(), 0, networks()};
  const ChunkLimits limits{options.mini_batch_rows, options.mini_batch_tokens};
  const bool counts =
      std::any_of(routes.begin(), routes.end(), [](auto& route) { return route.network->counts_passes(); });
  check(!counts || (limits.rows == 0 && limits.tokens == 0), "ERR_NOT_IMPLEMENTED",
        "Gradient caching (mini-batches) of a model with SparseAutoEncoder is not built");
  check(!counts || !replicas, "ERR_NOT_IMPLEMENTED",
        "Training a model with SparseAutoEncoder by several processes is not built");
  const std::vector<Chunk> chunks = plan_chunks(batch, routes, limits, replicas ? replicas->part() : Part{});
  Pending pending{
      std::make_unique<ChunkedPass>(batch, chunks, dropout_key(),
                                    Network::Wanted{.layers = needs.layers,
                                                    .tokens = needs.tokens,
                                                    .recompute = spec.activation_checkpointing || options.recompute,
                                                    .hold_bias = needs.ignores_shift,
                                                    .reconstruction = needs.reconstruction,
                                                    .column_rows = batch.rows() / batch.columns}),
      {},
      routes};
  pending.outputs = pending.pass->forward();
  return pending;
}

void Trainer::Impl::add_to(Trained& own, const LossGradients& found) const {
  for (size_t id = 0; id < found.parameters.size(); ++id) {
    const at::Tensor to = own.gradients()[static_cast<ParamId>(id)];
    if (found.parameters[id].defined() && to.defined()) to.add_(found.parameters[id]);
  }
}

void Trainer::Impl::backward(Pending& pending, const LossGradients& found, const StepOptions& options) {
  const ProfileScope scope("backward");
  const Timer timer(counted.backward_ms);
  const at::NoGradGuard no_grad;
  Trained& encoders = *sets.all[0];
  Trained& own = *sets.all[set_of_loss(options.loss)];
  add_to(own, found);
  if (!found.encoder.empty()) {
    encoders.gradients().touch_all();
    const Layout& layout = open().parameters().layout;
    for (const TensorInfo& tensor : layout.tensors(true)) {
      const auto gradient = found.encoder.find(tensor.name);
      if (gradient == found.encoder.end()) continue;
      layout.named_view(encoders.gradients().flat(), tensor).add_(gradient->second);
    }
  }
  std::vector<Gradients*> gradients;
  for (const auto& set : sets.all) gradients.push_back(&set->gradients());
  if (replicas && options.update) {
    replicas->check_weights(sets, step);
    GradientSums& sums = replicas->sums_of(sets, pending.routes[0].set);
    pending.pass->backward(found.outputs, gradients, [&](int64_t layer) { sums.layer_done(layer); });
  } else {
    pending.pass->backward(found.outputs, gradients);
  }
  own.used = true;
  // A network that no column passes is not updated: in Python its parameters have no gradient.
  for (const Route& route : pending.routes) sets.all[route.set]->used = true;
  if (!found.encoder.empty()) encoders.used = true;
}

LossGradients Trainer::Impl::loss_of(const LossContext& context, const Network::Output& outputs,
                                     const StepOptions& options) {
  const OwnedLoss& loss = loss_at(options.loss);
  if (!replicas) return differentiate(loss, context, outputs, options.loss_scale);
  if (spec.losses[static_cast<size_t>(options.loss)].gathers) {
    return replicas->differentiate_all(loss, context, outputs, options.loss_scale);
  }
  return differentiate(loss, context, outputs, options.loss_scale * replicas->share());
}

at::Tensor Trainer::Impl::shown(const PackedBatch& batch, const Network::Output& outputs) {
  if (outputs.offsets.empty()) return outputs.embeddings_RD;
  std::vector<int64_t> first;
  for (int64_t row = 0; row < batch.rows() / batch.columns; ++row) {
    if (outputs.offsets[row] < outputs.offsets[row + 1]) first.push_back(outputs.offsets[row]);
  }
  return at::index_select(outputs.embeddings_RD, 0, upload<int64_t>(first, outputs.embeddings_RD.device()));
}

std::optional<StepReport> Trainer::Impl::finish(const RoutedBatch& batch, const at::Tensor& embeddings_RD,
                                                const LossValue& value, const StepOptions& options) {
  int64_t tokens = batch.tokens();
  if (replicas) {
    const Timer timer(counted.communication_ms);
    const Replicas::Logged logged = replicas->log(value, tokens, options.requests);
    updater->add(logged.value);
    tokens = logged.tokens;
    counted.requests.resize(logged.requests.size());
    for (size_t i = 0; i < logged.requests.size(); ++i) counted.requests[i] += logged.requests[i];
  } else {
    updater->add(value);
  }
  ++counted.batches;
  counted.tokens += tokens;
  ++accumulated;
  if (options.update) {
    const ProfileScope scope("optimizer");
    if (replicas) {
      const Timer timer(counted.communication_ms);
      replicas->sum_gradients(sets);
      counted.hidden_ms += replicas->take_hidden_ms();
    }
    const Timer timer(counted.optimizer_ms);
    updater->update(sets, options.rates);
    ++step;
    accumulated = 0;
  }
  // What a rank asks for is heard at once, though the host waits for its device then.
  const std::vector<double>& asked = counted.requests;
  const bool is_asked = options.update && std::any_of(asked.begin(), asked.end(), [](double each) { return each > 0; });
  if (!options.report && !is_asked) return std::nullopt;
  if (replicas) replicas->settle();
  StepReport out = counted;
  counted = {};
  if (graphs != nullptr) out.graphs = graphs->counts();
  updater->report(out, embeddings_RD.narrow(0, 0, std::min(batch.rows() / batch.columns, embeddings_RD.size(0))));
  return out;
}

}  // namespace st
