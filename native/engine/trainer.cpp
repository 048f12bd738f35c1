#include "engine/trainer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/device.h"
#include "core/profile.h"
#include "engine/chunks.h"
#include "engine/gathered.h"
#include "engine/loss_pass.h"
#include "engine/trained.h"

namespace st {

namespace {

constexpr const char* kTwinPrefix = "loss.model1.";
}  // namespace

struct Trainer::Impl {
  Impl(std::shared_ptr<Encoder> shared, const TrainerSpec& given)
      : encoder(std::move(shared)), spec(given), weight_decays({given.weight_decay, 0}) {
    encoder->impl().check_open();
    const Network& network = encoder->impl().network;
    encoder_precision = network.compute();
    const at::ScalarType master = master_dtype(encoder_precision);
    precision = spec.precision.empty() ? encoder_precision : parse_dtype(spec.precision);
    check(!network.int8(), "ERR_UNSUPPORTED",
          "A model of dtype int8 encodes but is not trained: load it with float32 or bfloat16");
    check(master_dtype(precision) == master, "ERR_INVALID_ARGUMENT", "A float64 encoder cannot train in ",
          spec.precision);
    check(!spec.losses.empty(), "ERR_INVALID_ARGUMENT", "Expected at least one loss");
    for (const NamedLoss& loss : spec.losses) {
      losses.push_back(std::make_unique<OwnedLoss>(loss.name, loss.spec, encoder->embedding_dimension(),
                                                   network.device(), master, spec.seed));
      has_twin = has_twin || losses.back()->loss->needs().twin;
    }
    optimizer_state_names(spec.optimizer);
  }

  Network& open() {
    check(!disposed, "ERR_DISPOSED", "The trainer was disposed");
    return encoder->impl().open();
  }

  // Gradients and moments are made by the first job: the constructor runs on the JavaScript thread.
  void prepare() {
    if (!trained.empty()) return;
    Network& network = open();
    network.set_compute(precision);
    trained.push_back(std::make_unique<Trained>(network.parameters(), "", spec.optimizer));
    if (has_twin) {
      twin = network.copy();
      trained.push_back(std::make_unique<Trained>(twin->parameters(), kTwinPrefix, spec.optimizer));
    }
    for (auto& loss : losses) trained.push_back(std::make_unique<Trained>(loss->parameters, "", spec.optimizer));
    for (auto& part : trained) part->set_groups(groups);
  }

  size_t part_of_loss(int64_t index) const { return 1 + has_twin + static_cast<size_t>(index); }

  const OwnedLoss& loss_at(int64_t index) const {
    check(index >= 0 && index < static_cast<int64_t>(losses.size()), "ERR_INVALID_ARGUMENT",
          "Expected a loss from 0 to ", losses.size() - 1, " but found ", index);
    return *losses[static_cast<size_t>(index)];
  }

  // A training batch between its forward and its backward pass.
  struct Pending {
    std::unique_ptr<ChunkedPass> pass;
    Network::Output outputs;
    bool uses_twin;
  };

  Pending forward(const PackedBatch& batch, const StepOptions& options) {
    const ProfileScope scope("forward");
    check(options.rates.size() == 1 || options.rates.size() == weight_decays.size(), "ERR_INVALID_ARGUMENT",
          "Expected one rate or ", weight_decays.size(), ", one per group, but found ", options.rates.size());
    const Timer timer(gathered.forward_ms);
    const LossNeeds needs = loss_at(options.loss).loss->needs();
    const ChunkPlan plan{options.mini_batch_rows, options.mini_batch_tokens, needs.twin ? twin.get() : nullptr};
    Pending pending{
        std::make_unique<ChunkedPass>(batch, plan_chunks(batch, open(), plan), dropout_key(),
                                      Network::Wanted{needs.layers, needs.tokens, spec.activation_checkpointing, true}),
        {},
        needs.twin};
    pending.outputs = pending.pass->forward();
    return pending;
  }

  DropoutKey dropout_key() const { return DropoutKey(spec.seed, static_cast<uint64_t>(step), accumulated); }

  // Adds the gradients of the batch.
  void backward(Pending& pending, const LossGradients& found, const StepOptions& options) {
    const ProfileScope scope("backward");
    const Timer timer(gathered.backward_ms);
    const at::NoGradGuard no_grad;
    Trained& own = *trained[part_of_loss(options.loss)];
    for (size_t id = 0; id < found.parameters.size(); ++id) {
      if (found.parameters[id].defined()) {
        at::Tensor(own.gradients()[static_cast<ParamId>(id)]).add_(found.parameters[id]);
      }
    }
    if (!found.encoder.empty()) {
      trained[0]->gradients().touch_all();
      const Layout& layout = open().parameters().layout;
      for (const TensorInfo& tensor : layout.tensors(true)) {
        const auto gradient = found.encoder.find(tensor.name);
        if (gradient == found.encoder.end()) continue;
        layout.named_view(trained[0]->gradients().flat(), tensor).add_(gradient->second);
      }
    }
    std::vector<Gradients*> gradients = {&trained[0]->gradients()};
    if (has_twin) gradients.push_back(&trained[1]->gradients());
    pending.pass->backward(found.outputs, gradients);
    own.used = trained[0]->used = true;
    if (pending.uses_twin) trained[1]->used = true;
  }

  void update(const StepOptions& options) {
    const ProfileScope scope("optimizer");
    const Timer timer(gathered.optimizer_ms);
    double squares = 0;
    for (size_t i = 0; i < trained.size(); ++i) {
      if (trained[i]->used && !is_outside(i)) squares += trained[i]->squared_norm();
    }
    grad_norm = std::sqrt(squares);
    ++step;
    accumulated = 0;
    if (!std::isfinite(grad_norm)) {
      for (auto& part : trained) part->drop_gradients();
      ++gathered.skipped;
      return;
    }
    // As torch.nn.utils.clip_grad_norm_.
    const double factor = spec.max_grad_norm > 0 ? std::min(1.0, spec.max_grad_norm / (grad_norm + 1e-6)) : 1.0;
    for (size_t i = 0; i < trained.size(); ++i) {
      if (!trained[i]->used) continue;
      const bool outside = is_outside(i);
      trained[i]->update(options.rates, weight_decays, outside ? 1.0 : factor, outside);
    }
    ++gathered.updates;
  }

  // Parameters of losses, where they are to be treated as sentence-transformers 6.0.1 does.
  bool is_outside(size_t part) const { return spec.compat_loss_gradients && part > 0; }

  std::optional<StepReport> finish(const PackedBatch& batch, const at::Tensor& embeddings_RD, double loss,
                                   const std::vector<std::pair<std::string, double>>& logged,
                                   const StepOptions& options) {
    gathered.add(loss, logged);
    gathered.tokens += batch.tokens();
    ++accumulated;
    if (options.update) update(options);
    if (!options.report) return std::nullopt;
    const at::NoGradGuard no_grad;
    gathered.mean_cosine = mean_cosine(embeddings_RD.narrow(0, 0, batch.rows() / batch.columns));
    const StepReport out = gathered.report(grad_norm);
    gathered = {};
    return out;
  }

  // Calls copy(layout, flat buffer, range) for each range, whose name has lost its prefix.
  template <typename Copy>
  void for_each(const std::vector<TensorRange>& ranges, const Copy& copy) {
    open();
    prepare();
    for (TensorRange range : ranges) {
      const std::string name = range.name;
      bool found = false;
      for (auto& part : trained) {
        at::Tensor flat;
        found = part->find(name, flat, range.name);
        if (!found) continue;
        copy(part->parameters().layout, flat, range);
        break;
      }
      check(found, "ERR_INVALID_TENSORS", "There is no tensor named ", name);
    }
  }

  std::shared_ptr<Encoder> encoder;
  TrainerSpec spec;
  at::ScalarType encoder_precision = at::kFloat, precision = at::kFloat;
  std::vector<std::unique_ptr<OwnedLoss>> losses;
  bool has_twin = false;
  std::unique_ptr<Network> twin;
  std::vector<std::unique_ptr<Trained>> trained;  // the encoder's, its twin's if there is one, then each loss's
  std::vector<double> weight_decays;
  std::map<std::string, int> groups;
  struct Held {
    PackedBatch batch;
    Pending pending;
  };
  std::unique_ptr<Held> held;  // between embed() and apply()
  bool disposed = false;

  int64_t step = 0;         // optimiser steps tried: what dropout masks depend on
  int64_t accumulated = 0;  // batches since the last update
  double grad_norm = kNone;
  Gathered gathered;
};

Trainer::Trainer(std::shared_ptr<Encoder> encoder, const TrainerSpec& spec) {
  std::atomic<bool>& taken = encoder->impl().has_trainer;
  check(!taken.exchange(true), "ERR_BUSY",
        "The model is already being trained by another trainer: dispose that one first");
  try {
    impl_ = std::make_unique<Impl>(encoder, spec);
  } catch (...) {
    taken = false;
    throw;
  }
}

Trainer::~Trainer() {
  if (!impl_->disposed) dispose();
}

std::vector<TensorInfo> Trainer::tensors() const {
  const std::vector<TensorInfo> encoder = impl_->encoder->impl().network.parameters().layout.tensors(true);
  std::vector<TensorInfo> out;
  for (const auto& loss : impl_->losses) {
    const std::vector<TensorInfo> owned = loss->parameters.layout.tensors();
    out.insert(out.end(), owned.begin(), owned.end());
  }
  if (impl_->has_twin) {
    for (TensorInfo info : encoder) {
      info.name = kTwinPrefix + info.name;
      out.push_back(std::move(info));
    }
  }
  std::vector<TensorInfo> all = encoder;
  all.insert(all.end(), out.begin(), out.end());
  std::vector<std::string> kinds = {"grad"};
  for (const std::string& name : optimizer_state_names(impl_->spec.optimizer)) kinds.push_back(name);
  for (const std::string& kind : kinds) {
    for (TensorInfo info : all) {
      info.name = kind + "." + info.name;
      out.push_back(std::move(info));
    }
  }
  return out;
}

void Trainer::set_groups(std::vector<double> weight_decays, std::map<std::string, int> groups) {
  check(impl_->trained.empty(), "ERR_INVALID_ARGUMENT", "Groups are set before the first step");
  check(weight_decays.size() >= 2, "ERR_INVALID_ARGUMENT", "Expected at least 2 groups but found ",
        weight_decays.size());
  for (const auto& [name, group] : groups) {
    check(group >= -1 && group < static_cast<int>(weight_decays.size()), "ERR_INVALID_ARGUMENT",
          "Expected a group from -1 to ", weight_decays.size() - 1, " for ", name, " but found ", group);
  }
  impl_->weight_decays = std::move(weight_decays);
  impl_->groups = std::move(groups);
}

void Trainer::load(const std::vector<TensorRange>& ranges) {
  impl_->for_each(ranges,
                  [](const Layout& layout, at::Tensor& flat, const TensorRange& range) { layout.load(flat, range); });
  const bool gradients =
      std::any_of(ranges.begin(), ranges.end(), [](const auto& range) { return range.name.rfind("grad.", 0) == 0; });
  for (auto& part : impl_->trained) part->loaded(gradients);
}

void Trainer::dump(const std::vector<TensorRange>& ranges) {
  impl_->for_each(ranges,
                  [](const Layout& layout, at::Tensor& flat, const TensorRange& range) { layout.dump(flat, range); });
}

std::optional<StepReport> Trainer::step(const PackedBatch& batch, const StepOptions& options) {
  const ProfileScope scope("step");
  Network& network = impl_->open();
  network.validate(batch);
  impl_->prepare();
  impl_->held.reset();
  Impl::Pending pending = impl_->forward(batch, options);
  LossGradients found;
  {
    const ProfileScope loss_scope("loss");
    const Timer timer(impl_->gathered.forward_ms);
    const LossContext context{batch, network, impl_->dropout_key(), true};
    found = differentiate(impl_->loss_at(options.loss), context, pending.outputs, options.loss_scale);
  }
  impl_->backward(pending, found, options);
  return impl_->finish(batch, pending.outputs.embeddings_RD, found.loss, found.logged, options);
}

void Trainer::embed(PackedBatch batch, float* out, int64_t size, const StepOptions& options) {
  Network& network = impl_->open();
  network.validate(batch);
  impl_->prepare();
  const int64_t expected = batch.rows() * network.embedding_width();
  check(size == expected, "ERR_INVALID_ARGUMENT", "Expected ", expected, " elements for the embeddings but found ",
        size);
  check(impl_->loss_at(options.loss).loss->needs().external, "ERR_INVALID_ARGUMENT",
        "Only a loss of type Custom is trained through embed and apply");
  // The pass refers to the batch, so both stay where they are.
  impl_->held = std::make_unique<Impl::Held>();
  impl_->held->batch = std::move(batch);
  impl_->held->pending = impl_->forward(impl_->held->batch, options);
  const at::Tensor& embeddings_RD = impl_->held->pending.outputs.embeddings_RD;
  at::from_blob(out, embeddings_RD.sizes(), at::kFloat).copy_(embeddings_RD);
}

std::optional<StepReport> Trainer::apply(const ExternalLoss& external, const StepOptions& options) {
  impl_->open();
  const std::unique_ptr<Impl::Held> held = std::move(impl_->held);
  check(held != nullptr, "ERR_INVALID_ARGUMENT", "Expected a call of embed before apply");
  const at::Tensor& embeddings_RD = held->pending.outputs.embeddings_RD;
  check(static_cast<int64_t>(external.embeddings.size()) == embeddings_RD.numel(), "ERR_INVALID_ARGUMENT", "Expected ",
        embeddings_RD.numel(), " gradients of embeddings but found ", external.embeddings.size());
  const auto scaled = [&](const std::vector<float>& values, at::IntArrayRef shape) {
    // from_blob takes no const memory; nothing writes to it.
    const at::Tensor view = at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
    return view.to(embeddings_RD.scalar_type()) * options.loss_scale;
  };
  LossGradients found;
  found.outputs.embeddings_RD = scaled(external.embeddings, embeddings_RD.sizes());
  const OwnedLoss& loss = impl_->loss_at(options.loss);
  const std::vector<TensorInfo> tensors = loss.parameters.layout.tensors();
  found.parameters.resize(tensors.size());
  for (const auto& [name, values] : external.parameters) {
    const auto tensor = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
    check(tensor != tensors.end(), "ERR_INVALID_TENSORS", "There is no tensor named ", name);
    const int64_t numel = loss.parameters.layout.span(name).count;
    check(static_cast<int64_t>(values.size()) == numel, "ERR_INVALID_TENSORS", "Expected ", numel, " gradients for ",
          name, " but found ", values.size());
    found.parameters[static_cast<size_t>(tensor - tensors.begin())] = scaled(values, tensor->shape);
  }
  impl_->backward(held->pending, found, options);
  const std::vector<std::pair<std::string, double>> logged(external.components.begin(), external.components.end());
  return impl_->finish(held->batch, embeddings_RD, external.loss, logged, options);
}

Evaluation Trainer::evaluate(const PackedBatch& batch, int64_t loss) {
  Network& network = impl_->open();
  network.validate(batch);
  impl_->prepare();
  const at::NoGradGuard no_grad;
  const OwnedLoss& owned = impl_->loss_at(loss);
  const LossNeeds needs = owned.loss->needs();
  Network::Output outputs;
  if (needs.layers || needs.tokens || needs.twin) {
    const ChunkPlan plan{.twin = needs.twin ? impl_->twin.get() : nullptr};
    outputs = ChunkedPass(batch, plan_chunks(batch, network, plan), impl_->dropout_key(),
                          {needs.layers, needs.tokens, false, false})
                  .forward();
  } else {
    outputs.embeddings_RD = network.encode(batch, EncoderOutput::kSentenceEmbedding);
  }
  const LossGradients value = value_of(owned, {batch, network, impl_->dropout_key(), false}, outputs);
  Evaluation out{value.loss, {}};
  for (const auto& [name, number] : value.logged) out.components[name] = number;
  return out;
}

std::vector<int64_t> Trainer::counters() {
  impl_->open();
  impl_->prepare();
  std::vector<int64_t> out = {impl_->step};
  for (const auto& part : impl_->trained) out.push_back(part->updates);
  return out;
}

void Trainer::set_counters(const std::vector<int64_t>& counters) {
  impl_->open();
  impl_->prepare();
  check(counters.size() == impl_->trained.size() + 1, "ERR_INVALID_ARGUMENT", "Expected ", impl_->trained.size() + 1,
        " counters but found ", counters.size(), ": they belong to a trainer with other losses");
  impl_->step = counters[0];
  for (size_t i = 0; i < impl_->trained.size(); ++i) impl_->trained[i]->updates = counters[i + 1];
}

void Trainer::dispose() {
  if (impl_->disposed) return;
  impl_->disposed = true;
  impl_->held.reset();
  impl_->trained.clear();
  for (auto& loss : impl_->losses) loss->parameters.dispose();
  impl_->twin.reset();
  Encoder::Impl& encoder = impl_->encoder->impl();
  if (!encoder.disposed) encoder.network.set_compute(impl_->encoder_precision);
  encoder.has_trainer = false;
}

}  // namespace st
