#include "engine/trainer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/device.h"
#include "core/error.h"
#include "engine/network.h"
#include "losses/loss.h"
#include "optim/adamw.h"

namespace st {

namespace {

// Values, gradients and moments of one set of parameters.
struct Trained {
  Trained(Parameters& parameters, const AdamWOptions& options)
      : parameters(parameters),
        gradients(parameters.layout, parameters.flat()),
        adamw(parameters.layout, parameters.flat(), options) {}

  double squared_norm() {
    const double norm = at::linalg_vector_norm(gradients.flat()).item<double>();
    return norm * norm;
  }

  // The flat buffer that a prefix names, and the name without it; the values themselves when there is no prefix.
  std::pair<at::Tensor, std::string> find(const std::string& name) {
    for (auto [prefix, flat] : {std::pair<std::string, at::Tensor>{"grad.", gradients.flat()},
                                {"exp_avg.", adamw.exp_avg()},
                                {"exp_avg_sq.", adamw.exp_avg_sq()}}) {
      if (name.rfind(prefix, 0) == 0) return {flat, name.substr(prefix.size())};
    }
    return {parameters.flat(), name};
  }

  Parameters& parameters;
  Gradients gradients;
  AdamW adamw;
};

at::Tensor label_tensor(const PackedBatch& batch, at::ScalarType master, at::Device device) {
  at::Tensor out;
  if (auto* floats = std::get_if<std::vector<float>>(&batch.labels)) {
    out = at::empty({static_cast<int64_t>(floats->size())}, at::kFloat);
    std::memcpy(out.data_ptr(), floats->data(), floats->size() * sizeof(float));
    out = out.to(master);
  } else if (auto* integers = std::get_if<std::vector<int32_t>>(&batch.labels)) {
    out = at::empty({static_cast<int64_t>(integers->size())}, at::kInt);
    std::memcpy(out.data_ptr(), integers->data(), integers->size() * sizeof(int32_t));
    out = out.to(at::kLong);
  } else {
    return out;
  }
  int64_t expected = 1;
  for (int64_t size : batch.label_shape) expected *= size;
  check(batch.label_shape.empty() || expected == out.numel(), "ERR_INVALID_ARGUMENT", "Expected ", expected,
        " labels for labelShape but found ", out.numel());
  return (batch.label_shape.empty() ? out : out.view(batch.label_shape)).to(device);
}

}  // namespace

struct Trainer::Impl {
  Impl(std::shared_ptr<Encoder> shared, const TrainerSpec& spec)
      : encoder(std::move(shared)),
        spec(spec),
        loss(make_loss(spec.loss, encoder->embedding_dimension(), LossLayout{loss_parameters.layout})) {
    encoder->impl().check_open();
    const Network& network = encoder->impl().network;
    encoder_precision = network.compute();
    const at::ScalarType master = master_dtype(encoder_precision);
    loss_parameters.allocate(network.device(), master);
    precision = spec.precision.empty() ? encoder_precision : parse_dtype(spec.precision);
    check(master_dtype(precision) == master, "ERR_INVALID_ARGUMENT", "A float64 encoder cannot train in ",
          spec.precision);
    const at::NoGradGuard no_grad;
    loss->initialize(loss_parameters, spec.seed);
  }

  Network& open() {
    check(!disposed, "ERR_DISPOSED", "The trainer was disposed");
    return encoder->impl().open();
  }

  // Gradients and moments are made by the first job: the constructor runs on the JavaScript thread.
  void prepare() {
    if (!trained.empty()) return;
    open().set_compute(precision);
    const AdamWOptions options{spec.beta1, spec.beta2, spec.epsilon, spec.weight_decay};
    trained.push_back(std::make_unique<Trained>(open().parameters(), options));
    trained.push_back(std::make_unique<Trained>(loss_parameters, options));
  }

  LossInput loss_input(const PackedBatch& batch, const at::Tensor& embeddings_RD,
                       const std::vector<at::Tensor>& parameters) {
    const at::Tensor embeddings_CBD = embeddings_RD.view({batch.columns, batch.rows() / batch.columns, -1});
    LossInput input{.embeddings_CBD = embeddings_CBD,
                    .labels = label_tensor(batch, embeddings_RD.scalar_type(), embeddings_RD.device()),
                    .parameters = parameters,
                    .batch = &batch};
    loss->check_batch(input);
    return input;
  }

  // Adds the gradients of one batch; returns its loss.
  double accumulate(const PackedBatch& batch, double loss_scale) {
    Network& network = open();
    const Input input(batch, network.device());
    const DropoutKey dropout(spec.seed, step, accumulated);
    at::Tensor embeddings_RD = network.forward_training(input, dropout).requires_grad_(true);
    std::vector<at::Tensor> leaves = loss_parameters.layout.views(loss_parameters.flat());
    for (at::Tensor& leaf : leaves) leaf = leaf.detach().requires_grad_(true);
    std::vector<at::Tensor> wanted = leaves;
    wanted.push_back(embeddings_RD);
    at::Tensor value;
    std::vector<at::Tensor> found;
    {
      const at::AutoGradMode with_grad(true);
      value = loss->forward(loss_input(batch, embeddings_RD, leaves)).total;
      found = torch::autograd::grad({value * loss_scale}, wanted);
    }
    const at::NoGradGuard no_grad;
    for (size_t id = 0; id < leaves.size(); ++id)
      at::Tensor(trained[1]->gradients[static_cast<ParamId>(id)]).add_(found[id]);
    network.backward(input, dropout, found.back(), trained[0]->gradients);
    return value.item<double>();
  }

  void update(const StepOptions& options) {
    double squares = 0;
    for (auto& part : trained) squares += part->squared_norm();
    grad_norm = std::sqrt(squares);
    ++step;
    accumulated = 0;
    if (!std::isfinite(grad_norm)) {
      for (auto& part : trained) part->gradients.flat().zero_();
      ++skipped;
      return;
    }
    ++adam_step;
    // As torch.nn.utils.clip_grad_norm_.
    const double factor = spec.max_grad_norm > 0 ? std::min(1.0, spec.max_grad_norm / (grad_norm + 1e-6)) : 1.0;
    for (auto& part : trained) {
      part->adamw.update(part->parameters, part->gradients, adam_step, options.lr_decay, options.lr_no_decay, factor);
      part->parameters.refresh();
    }
    ++updates;
  }

  // Calls copy(layout, flat buffer, range) for each range, whose name has lost its prefix.
  template <typename Copy>
  void for_each(const std::vector<TensorRange>& ranges, const Copy& copy);

  StepReport report() {
    const double mean =
        finite_batches > 0 ? loss_sum / static_cast<double>(finite_batches) : std::numeric_limits<double>::quiet_NaN();
    const StepReport out{mean, batches, grad_norm, updates, skipped};
    loss_sum = 0;
    batches = finite_batches = updates = skipped = 0;
    return out;
  }

  std::shared_ptr<Encoder> encoder;
  TrainerSpec spec;
  at::ScalarType encoder_precision = at::kFloat, precision = at::kFloat;
  Parameters loss_parameters;
  std::unique_ptr<Loss> loss;
  std::vector<std::unique_ptr<Trained>> trained;  // the encoder's, then the loss's
  bool disposed = false;

  int64_t step = 0;         // optimiser steps tried: what dropout masks depend on
  int64_t adam_step = 0;    // updates done: what the bias correction depends on
  int64_t accumulated = 0;  // batches since the last update
  // Since the last report.
  double loss_sum = 0, grad_norm = std::numeric_limits<double>::quiet_NaN();
  int64_t batches = 0, finite_batches = 0, updates = 0, skipped = 0;
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
  std::vector<TensorInfo> out = impl_->loss_parameters.layout.tensors();
  std::vector<TensorInfo> all = impl_->encoder->impl().network.parameters().layout.tensors(true);
  all.insert(all.end(), out.begin(), out.end());
  for (const char* prefix : {"grad.", "exp_avg.", "exp_avg_sq."}) {
    for (TensorInfo info : all) {
      info.name = prefix + info.name;
      out.push_back(std::move(info));
    }
  }
  return out;
}

namespace {

// The set of parameters that a name belongs to: the loss's names start with "loss.", after a prefix such as "grad.".
bool of_loss(const std::string& name) {
  return name.rfind("loss.", 0) == 0 || name.find(".loss.") != std::string::npos;
}

}  // namespace

template <typename Copy>
void Trainer::Impl::for_each(const std::vector<TensorRange>& ranges, const Copy& copy) {
  open();
  prepare();
  for (TensorRange range : ranges) {
    Trained& part = *trained[of_loss(range.name)];
    auto [flat, name] = part.find(range.name);
    range.name = name;
    copy(part.parameters.layout, flat, range);
  }
}

void Trainer::load(const std::vector<TensorRange>& ranges) {
  impl_->for_each(ranges,
                  [](const Layout& layout, at::Tensor& flat, const TensorRange& range) { layout.load(flat, range); });
  for (auto& part : impl_->trained) part->parameters.refresh();
}

void Trainer::dump(const std::vector<TensorRange>& ranges) {
  impl_->for_each(ranges,
                  [](const Layout& layout, at::Tensor& flat, const TensorRange& range) { layout.dump(flat, range); });
}

std::optional<StepReport> Trainer::step(const PackedBatch& batch, const StepOptions& options) {
  impl_->open().validate(batch);
  impl_->prepare();
  const double loss = impl_->accumulate(batch, options.loss_scale);
  ++impl_->batches;
  ++impl_->accumulated;
  if (std::isfinite(loss)) {
    impl_->loss_sum += loss;
    ++impl_->finite_batches;
  }
  if (options.update) impl_->update(options);
  if (!options.report) return std::nullopt;
  return impl_->report();
}

double Trainer::evaluate(const PackedBatch& batch) {
  Network& network = impl_->open();
  network.validate(batch);
  impl_->prepare();
  const at::NoGradGuard no_grad;
  const Input input(batch, network.device());
  const at::Tensor embeddings_RD = network.encode(input, EncoderOutput::kSentenceEmbedding);
  const std::vector<at::Tensor> parameters = impl_->loss_parameters.layout.views(impl_->loss_parameters.flat());
  return impl_->loss->forward(impl_->loss_input(batch, embeddings_RD, parameters)).total.item<double>();
}

void Trainer::dispose() {
  if (impl_->disposed) return;
  impl_->disposed = true;
  impl_->trained.clear();
  impl_->loss_parameters.dispose();
  Encoder::Impl& encoder = impl_->encoder->impl();
  if (!encoder.disposed) encoder.network.set_compute(impl_->encoder_precision);
  encoder.has_trainer = false;
}

}  // namespace st
