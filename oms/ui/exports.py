"""TEMP"""
def export_response(request, page, table):
    raise NotImplementedError
