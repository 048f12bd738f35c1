// The module SparseAutoEncoder: gradients against central differences, its counts, and what it refuses.
#include "models/sparse_auto_encoder.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/workspace.h"
#include "training.h"

namespace st::test {

namespace {

constexpr int64_t kIn = 6, kLatents = 20, kTexts = 4;

Config auto_encoder(Config::Object changes = {}) {
  Config::Object spec{{"type", text("SparseAutoEncoder")},
                      {"inputDim", 6.0},
                      {"hiddenDim", 20.0},
                      {"k", 3.0},
                      {"kAux", 5.0},
                      {"deadThreshold", 3.0}};
  for (const auto& [name, value] : changes) spec[name] = value;
  return spec;
}

// A module with values, and a batch of no use to it.
struct Module {
  Parameters parameters;
  std::unique_ptr<Head> head;
  PackedBatch batch = batch_of({1, 1, 1, 1});
  Input input{batch, at::kCPU};
  Workspace workspace{at::kCPU};

  explicit Module(const Config::Object& changes = {})
      : head(make_sparse_auto_encoder(auto_encoder(changes), "2.", kIn, parameters.layout)) {
    parameters.allocate(at::kCPU, at::kDouble);
    uint64_t seed = 3;
    for (const TensorInfo& tensor : parameters.layout.tensors()) {
      const at::Tensor values = parameters.stored(tensor);
      values.copy_(random_tensor(values.sizes(), at::kDouble, ++seed));
      if (tensor.name == "2.stats_last_nonzero") values.mul_(6).abs_().round_();
    }
  }

  std::vector<at::Tensor> values() { return parameters.layout.views(parameters.flat()); }
  HeadState run(const at::Tensor& x_RD, const std::vector<at::Tensor>& values, const LatentsWanted& wanted) const {
    const Pass pass{input, parameters, const_cast<Workspace&>(workspace)};
    static const std::vector<at::Tensor> no_outputs;
    HeadState state{pass, {}, x_RD, no_outputs, values};
    state.latents = wanted;
    head->forward(state);
    return state;
  }
  std::vector<double> counts() {
    const at::Tensor all = values()[3];
    return {all.data_ptr<double>(), all.data_ptr<double>() + kLatents};
  }
};

at::Tensor embeddings() {
  return random_tensor({kTexts, kIn}, at::kDouble, 2);
}

TEST(Differences, SparseAutoEncoder) {
  for (const bool normalize : {false, true}) {
    for (const double aux : {0.0, 5.0}) {
      Module module({{"normalize", normalize}, {"kAux", aux}});
      const std::vector<at::Tensor> values = module.values();
      const at::Tensor rests = values[3].clone();
      const auto run = [&](const std::vector<at::Tensor>& in) {
        // Each run counts.
        values[3].variable_data().copy_(rests);
        return module.run(in[0], {in[1], in[2], in[3], values[3]}, {.trains = true, .reconstructs = true});
      };
      const std::vector<at::Tensor> inputs = {embeddings(), values[0].clone(), values[1].clone(), values[2].clone()};
      // Without the target of the latents at rest, a part of which has no gradient.
      expect_autograd(
          [&](const std::vector<at::Tensor>& in) {
            const HeadState state = run(in);
            std::vector<at::Tensor> parts = {state.sentence_RD};
            for (const int64_t part : {0, 1, 2, 4}) {
              if (part < state.reconstruction_RPD.size(1)) parts.push_back(state.reconstruction_RPD.select(1, part));
            }
            return at::cat(parts, 1);
          },
          inputs, normalize ? "normalised" : "plain");
      if (aux == 0) {
        EXPECT_EQ(run(inputs).reconstruction_RPD.size(1), 3);
        continue;
      }
      std::vector<at::Tensor> leaves;
      for (const at::Tensor& each : inputs) leaves.push_back(each.detach().requires_grad_(true));
      const at::Tensor target_RD = run(leaves).reconstruction_RPD.select(1, 3);
      const auto found = torch::autograd::grad({target_RD.sum()}, leaves, {}, std::nullopt, false, true);
      expect_close(found[0], at::ones_like(found[0]), 0, "the input of the target");
      const at::Tensor bias_D = inputs[2];
      const at::Tensor again_RD = run(inputs).reconstruction_RPD.select(1, 1);
      if (!normalize) expect_close(target_RD.detach(), inputs[0] - again_RD + bias_D, 1e-14, "the target");
    }
  }
}

TEST(SparseAutoEncoder, GivesTheHighestValuesAboveZero) {
  Module module;
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> values = module.values();
  const at::Tensor x = embeddings();
  const at::Tensor all = ((x - values[1]).matmul(values[0].t()) + values[2]).relu();
  for (const int64_t most : {0, 1, 7, 20}) {
    const at::Tensor found = module.run(x, values, {.active_dims = most}).sentence_RD;
    const at::Tensor left = std::get<0>(all.topk(most > 0 ? most : 3, 1)).sum(1);
    expect_close(found.sum(1), left, 1e-14, "values");
    EXPECT_TRUE(((found == 0).logical_or(found == all)).all().item<bool>());
  }
}

TEST(SparseAutoEncoder, CountsPassesByColumn) {
  Module whole, apart;
  const at::NoGradGuard no_grad;
  const at::Tensor x = embeddings();
  const std::vector<double> before = whole.counts();
  // Two columns of two rows are as one pass and another one; what is not trained counts nothing.
  whole.run(x, whole.values(), {.trains = true, .column_rows = 2});
  whole.run(x, whole.values(), {.reconstructs = true, .column_rows = 2});
  for (const int64_t row : {0, 2}) apart.run(x.narrow(0, row, 2), apart.values(), {.trains = true});
  EXPECT_EQ(whole.counts(), apart.counts());
  // A latent without a value in either has rested for four passes more: of k and of 4 k values, twice.
  const at::Tensor wide = apart.run(x, apart.values(), {.active_dims = 12}).sentence_RD;
  for (int64_t latent = 0; latent < kLatents; ++latent) {
    const bool rests = (wide.select(1, latent) <= 1e-5).all().item<bool>();
    const double found = whole.counts()[static_cast<size_t>(latent)], old = before[static_cast<size_t>(latent)];
    if (rests) {
      EXPECT_EQ(found, old + 4) << latent;
    } else {
      EXPECT_TRUE(found == 1 || found == 3) << latent << ": " << found;
    }
  }
}

TEST(SparseAutoEncoder, WhatDoesNotFitIsRefused) {
  const auto made = [](const Config::Object& changes) { return [=] { Module module(changes); }; };
  expect_error("ERR_INVALID_MODEL", "takes 5 features but receives 6", made({{"inputDim", 5.0}}));
  expect_error("ERR_INVALID_MODEL", "from 1 to 20, the hiddenDim, for k", made({{"k", 21.0}}));
  expect_error("ERR_INVALID_MODEL", "for k of 2.SparseAutoEncoder but found 0", made({{"k", 0.0}}));
  expect_error("ERR_INVALID_MODEL", "at least 0 for kAux", made({{"kAux", -1.0}}));
  for (const auto& changes : {Config::Object{{"k", 6.0}}, Config::Object{{"kAux", 21.0}}}) {
    Module module(changes);
    module.run(embeddings(), module.values(), {});
    expect_error("ERR_INVALID_ARGUMENT", "is trained with k up to 5",
                 [&] { module.run(embeddings(), module.values(), {.trains = true}); });
  }
  Module module;
  expect_error("ERR_INVALID_ARGUMENT", "maxActiveDims from 1 to 20",
               [&] { module.run(embeddings(), module.values(), {.active_dims = 21}); });
  expect_error("ERR_INVALID_ARGUMENT", "the model does not end in one",
               [] { Trainer trainer(encoder_of(), spec_of(loss_of("CSRLoss", {{"loss", loss_of("TripletLoss")}}))); });
}

TEST(SparseAutoEncoder, IsNotTrainedInMiniBatches) {
  auto encoder = std::make_shared<Encoder>(tiny_bert({pooling({"mean"}), auto_encoder({{"inputDim", 12.0}})}));
  Trainer trainer(encoder, spec_of(loss_of("CSRLoss", {{"loss", loss_of("CoSENTLoss")}})));
  const StepOptions small{.rates = {1e-2}, .mini_batch_rows = 1};
  expect_error("ERR_NOT_IMPLEMENTED", "mini-batches", [&] { trainer.step(scored_batch(), small); });
}

}  // namespace

}  // namespace st::test
