#pragma once

#include "cuda/adamw.h"
#include "cuda/clip.h"
#include "cuda/mean_pool.h"
#include "cuda/residual_norm.h"
#include "cuda/softmax_loss.h"

// Launches the kernels of kernels.cu, for code that nvcc does not compile. `stream` is a cudaStream_t. They are
// queued on the current device, return cudaGetLastError's message and never wait.
namespace st::cuda {

// Wider rows do not fit into a lane's registers.
constexpr int64_t kWidestRow = 1024;

// Parts of the sums over tokens; each holds 3 * width floats.
int64_t residual_norm_parts(int64_t tokens);

struct NormGradients {
  float *gamma_D, *beta_D, *bias_D;  // added to
};

const char* launch(const ResidualNorm<float>& call, void* stream);
const char* launch(const ResidualNorm<Bf16>& call, void* stream);
const char* launch(const ResidualNormBackward<float>& call, const NormGradients& gradients, float* parts_P3D,
                   void* stream);
const char* launch(const ResidualNormBackward<Bf16>& call, const NormGradients& gradients, float* parts_P3D,
                   void* stream);
const char* launch(const MeanPool& call, void* stream);
const char* launch(const MeanPoolBackward& call, void* stream);
const char* launch(const SoftmaxLoss& call, void* stream);
const char* launch(const DropoutFactors& call, void* stream);
const char* launch(const Clip& call, void* stream);
const char* launch(const AdamWStep& step, const AdamWBuffers& buffers, void* stream);

}  // namespace st::cuda
