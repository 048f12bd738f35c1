#pragma once

#include <ATen/core/Tensor.h>

namespace st {

// Uninitialised memory for large buffers of matrix products. On the CPU of Linux it uses pages of 2 MB if the system
// grants them, because address translation costs a matrix product of this size up to a tenth of its time.
at::Tensor empty_in_huge_pages(at::IntArrayRef shape, at::ScalarType type, at::Device device);

// The same of zeros. New memory of Linux is zero when it is first touched, so nothing is written before that.
at::Tensor zeros_in_huge_pages(at::IntArrayRef shape, at::ScalarType type, at::Device device);

}  // namespace st
