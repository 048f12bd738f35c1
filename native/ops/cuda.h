#pragma once

#include <memory>

#include "ops/attention.h"
#include "ops/graph.h"
#include "ops/residual_norm.h"

// The ops' implementations for tensors on a CUDA device. Defined in cuda/, in every build. Without CUDA only tests
// call them. Cases that are not faster there, or not supported, use the op's reference.
namespace st::cuda {

// LibTorch's flash or memory-efficient attention over packed rows. Its dropout masks come from LibTorch's generator,
// seeded by the place of the dropout: they are the same for the same rows in the same chunk, but differ from other
// devices.
decltype(st::attention) attention;
decltype(st::attention_backward) attention_backward;

// Own kernels, if use_kernels().
decltype(st::residual_norm) residual_norm;
decltype(st::residual_norm_backward) residual_norm_backward;

// The factors (0 or the scale) of st::Dropout::multiplier by an own kernel, also without use_kernels(): [rows, width]
// of these options, for the rows rows_T (int32; undefined = 0, 1, 2, ...) and the positions positions_T (undefined =
// 0). `key_1`: the key on the device (int64), undefined = that of `dropout`. A plain loop on CPU tensors, for tests.
at::Tensor dropout_factors(const Dropout& dropout, const at::Tensor& key_1, int64_t rows, const at::Tensor& rows_T,
                           const at::Tensor& positions_T, int64_t width, at::TensorOptions options);

// d_weight (master dtype) += d_y' x, with a float32 sum of bfloat16 factors.
void add_weight_gradient(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI);

// Mean of the tokens [first, end) (int32, on the device of x) of each row, normalised on request; float32, at most
// 1024 wide, differentiable by x. Tokens outside of the rows get a gradient of 0.
at::Tensor mean_pool(const at::Tensor& x_TD, const at::Tensor& first_R, const at::Tensor& end_R, bool normalize);
// Whether it can: its width and type fit, and use_kernels().
bool takes_rows(const at::Tensor& x_TD);
// Sum over rows of the softmax cross-entropy of scale * scores, whose right column is first_target + row; float32,
// differentiable by the scores.
at::Tensor softmax_loss(const at::Tensor& scores_RN, int64_t first_target, double scale);

// Whether the queued work is being recorded (ops/graph.h). Then everything that the host reads or writes must keep
// its address.
bool is_recording();
// Throws ERR_UNSUPPORTED during a recording. `what`: the operation that cannot be recorded: "masks made by the host".
void refuse_recording(const char* what);

// Recording and uploading for a CUDA device. They throw ERR_UNSUPPORTED in a CPU build.
std::unique_ptr<Recorder> make_recorder(at::Device device);
std::unique_ptr<Uploader> make_uploader(at::Device device);

// Whether the kernels of cuda/ are used: SENTENCE_TORCH_CUDA_KERNELS=1. They have not run on a device yet
// (docs/cuda.md).
bool use_kernels();

// Whether training steps are recorded: SENTENCE_TORCH_CUDA_GRAPHS=1. Throws ERR_INVALID_ARGUMENT without
// use_kernels(), because masks that the host makes cannot be recorded.
bool use_graphs();

// Call it before the first use of a device: float32 products use TF32 only with SENTENCE_TORCH_TF32=1; torch's
// default is off.
void configure();

}  // namespace st::cuda
