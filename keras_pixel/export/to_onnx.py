def onnx(model, folder):
    raise NotImplementedError
